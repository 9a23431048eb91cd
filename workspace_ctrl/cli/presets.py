"""`workspace-ctrl presets`: lists the models and instance types of the catalog."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import click

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.instance_types import InstanceType, find_instance_type, instance_types
from workspace_ctrl.catalog.presets import PresetModel, find_preset, presets
from workspace_ctrl.cli.output import to_json, to_yaml
from workspace_ctrl.cli.printing.tables import print_table

_Entries: TypeAlias = Sequence[PresetModel | InstanceType]
_PRESET_COLUMNS = ("NAME", "PARAMS", "GIB", "CONTEXT", "GATED", "HUGGING FACE")
_UNCONFIRMED = "~"
"""Before the size of a preset with figures that are not all confirmed."""
_INSTANCE_TYPE_COLUMNS = ("NAME", "PROVIDER", "GPUS", "GIB", "CAPABILITY", "GPU")
_NUMBERS = {"PARAMS", "GIB", "CONTEXT", "GPUS", "CAPABILITY"}


@click.command("presets")
@click.argument("name", required=False)
@click.option("--instance-types", "of_nodes", is_flag=True, help="List instance types with their GPUs instead of models.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format.")
def presets_command(name: str | None, *, of_nodes: bool, output: str) -> None:
    """List the models of the catalog. A ~ before the size marks figures that are not all confirmed.

    With NAME, show the details of that model, or list the models whose name contains it.
    Exit code: 0; 2 if nothing matches.
    """
    try:
        found = _instance_types(name) if of_nodes else _presets(name)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    fields = [_fields(entry) for entry in found]
    if output == "json":
        click.echo(to_json(fields))
    elif output == "yaml" or (name and len(found) == 1):
        click.echo(to_yaml(*fields), nl=False)
    else:
        columns = _INSTANCE_TYPE_COLUMNS if of_nodes else _PRESET_COLUMNS
        print_table(columns, [*map(_row, found)], right=frozenset(columns) & _NUMBERS)


def _presets(name: str | None) -> _Entries:
    """Return the preset called `name`, else those with it in their name or Hugging Face id."""
    try:
        return [find_preset(name)] if name else list(presets().values())
    except SpecError:
        matching = [preset for preset in presets().values() if _has(name, preset.name, preset.model)]
        if not matching:
            raise
        return matching


def _instance_types(name: str | None) -> _Entries:
    """Return the instance type called `name`, else those with it in their name, GPU or provider."""
    try:
        return [find_instance_type(name)] if name else list(instance_types().values())
    except SpecError:
        matching = [node for node in instance_types().values() if _has(name, node.name, node.gpu, node.provider)]
        if not matching:
            raise
        return matching


def _has(part: str | None, *texts: str) -> bool:
    return any((part or "").lower() in text.lower() for text in texts)


def _fields(entry: PresetModel | InstanceType) -> Mapping[str, Any]:
    """Return its fields, with values derived from them."""
    known = entry.model_dump(mode="json", exclude_none=True)
    if isinstance(entry, PresetModel):
        return {**known, "kv_bytes_per_token": entry.kv_bytes_per_token}
    return {**known, "memory_gib": round(entry.memory_gib, 2)}


def _row(entry: PresetModel | InstanceType) -> tuple[str, ...]:
    if isinstance(entry, InstanceType):
        return entry.name, entry.provider, str(entry.gpus), f"{entry.memory_gib:.0f}", str(entry.compute_capability), entry.gpu
    billions = entry.parameters_billion or 0
    parameters = f"{billions:.2g}B" if billions < 10 else f"{billions:.0f}B"  # noqa: PLR2004 - two digits are enough
    size = f"{_UNCONFIRMED if entry.unconfirmed else ''}{entry.weights_gib:.1f}"
    return entry.name, parameters, size, str(entry.context_limit), "yes" if entry.gated else "", entry.model
