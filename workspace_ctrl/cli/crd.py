"""`workspace-ctrl crd`: prints the CustomResourceDefinitions, or a reference page."""

from typing import Final

import click

from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.reference_page import reference
from workspace_ctrl.cli.output import to_yaml

_BY_NAME: Final = {kind.lower(): kind for kind in KINDS}


@click.command("crd")
@click.argument("kind", required=False, type=click.Choice([*_BY_NAME], case_sensitive=False))
@click.option(
    "--output",
    "-o",
    type=click.Choice(["yaml", "markdown"]),
    default="yaml",
    show_default=True,
    help="Print the CRDs as YAML, or the reference of the fields of one (of the Workspace without KIND) as Markdown.",
)
def crd_command(*, kind: str | None, output: str) -> None:
    """Print the CustomResourceDefinitions of Workspace and InferenceSet, or of one KIND.

    \b
    Install them with: workspace-ctrl crd | kubectl apply --server-side -f -
    """  # noqa: D301 - \b keeps click from wrapping the example
    kinds = (_BY_NAME[kind.lower()],) if kind else KINDS
    click.echo(to_yaml(*map(crd, kinds)) if output == "yaml" else reference(kinds[0] if kind else KIND), nl=False)
