"""`workspace-ctrl crd`: prints the CustomResourceDefinition."""

import click

from workspace_ctrl.api.crd import crd
from workspace_ctrl.cli.printing import to_yaml


@click.command("crd")
def crd_command() -> None:
    """Print the CustomResourceDefinition of the Workspace.

    \b
    Install it with: workspace-ctrl crd | kubectl apply --server-side -f -
    """  # noqa: D301 - \b keeps click from wrapping the example
    click.echo(to_yaml(crd()), nl=False)
