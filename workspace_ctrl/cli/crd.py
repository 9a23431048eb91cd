"""`workspace-ctrl crd`: prints the CustomResourceDefinition, or its reference page."""

import click

from workspace_ctrl.api.crd import crd
from workspace_ctrl.api.reference_page import reference
from workspace_ctrl.cli.output import to_yaml


@click.command("crd")
@click.option(
    "--output",
    "-o",
    type=click.Choice(["yaml", "markdown"]),
    default="yaml",
    show_default=True,
    help="Print the CRD as YAML, or the reference of its fields as Markdown.",
)
def crd_command(*, output: str) -> None:
    """Print the CustomResourceDefinition of the Workspace.

    \b
    Install it with: workspace-ctrl crd | kubectl apply --server-side -f -
    """  # noqa: D301 - \b keeps click from wrapping the example
    click.echo(to_yaml(crd()) if output == "yaml" else reference(), nl=False)
