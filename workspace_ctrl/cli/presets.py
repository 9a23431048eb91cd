"""`workspace-ctrl presets`: the models that a Workspace can name."""

import click
from rich.console import Console
from rich.table import Table

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.presets import PresetModel, find_preset, presets


@click.command("presets")
@click.argument("name", required=False)
def presets_command(name: str | None) -> None:
    """List the models that a Workspace can name, or show the one called NAME."""
    if name is None:
        Console().print(_table())
        return
    try:
        preset = find_preset(name)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    for field, value in preset.model_dump().items():
        click.echo(f"{field}: {' '.join(value) if isinstance(value, tuple) else value}")


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("NAME", no_wrap=True)
    table.add_column("GIB", no_wrap=True, justify="right")
    table.add_column("CONTEXT", no_wrap=True, justify="right")
    table.add_column("GATED", no_wrap=True)
    table.add_column("HUGGING FACE", no_wrap=True, ratio=1)  # takes what is left of the line, and is cut first
    for preset in presets().values():
        table.add_row(*_row(preset))
    return table


def _row(preset: PresetModel) -> tuple[str, ...]:
    return preset.name, f"{preset.weights_gib:g}", str(preset.context_limit), "yes" if preset.gated else "", preset.model
