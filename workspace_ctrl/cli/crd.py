"""`workspace-ctrl crd`: prints the CustomResourceDefinition, its reference page, or the page on compatibility with KAITO."""

from collections.abc import Callable, Mapping
from typing import Final

import click

from workspace_ctrl.api.crd import crd
from workspace_ctrl.api.reference_page import reference
from workspace_ctrl.catalog.kaito_page import kaito_page
from workspace_ctrl.cli.output import to_yaml

_OUTPUTS: Final[Mapping[str, Callable[[], str]]] = {"yaml": lambda: to_yaml(crd()), "markdown": reference, "kaito": kaito_page}


@click.command("crd")
@click.option(
    "--output",
    "-o",
    type=click.Choice(list(_OUTPUTS)),
    default="yaml",
    show_default=True,
    help="Print the CRD as YAML, the reference of its fields as Markdown, or what becomes of KAITO's fields as Markdown (kaito).",
)
def crd_command(*, output: str) -> None:
    """Print the CustomResourceDefinition of the Workspace.

    \b
    Install it with: workspace-ctrl crd | kubectl apply --server-side -f -
    """  # noqa: D301 - \b keeps click from wrapping the example
    click.echo(_OUTPUTS[output](), nl=False)
