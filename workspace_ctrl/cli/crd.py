"""`workspace-ctrl crd`: prints the CustomResourceDefinition."""

import click
import yaml

from workspace_ctrl.api.crd import crd


@click.command("crd")
def crd_command() -> None:
    """Print the CustomResourceDefinition of the Workspace.

    \b
    Install it with: workspace-ctrl crd | kubectl apply --server-side -f -
    """  # noqa: D301 - \b keeps click from wrapping the example
    click.echo(yaml.safe_dump(crd(), sort_keys=False, width=120), nl=False)
