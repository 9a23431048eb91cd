"""`workspace-ctrl`: the group of commands."""

from typing import Any

import click

from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cli.chart import chart_command
from workspace_ctrl.cli.crd import crd_command
from workspace_ctrl.cli.plan import plan_command
from workspace_ctrl.cli.presets import presets_command
from workspace_ctrl.cli.run import run_command
from workspace_ctrl.cli.status import status_command
from workspace_ctrl.cli.uninstall_check import uninstall_check_command


class _Commands(click.Group):
    """Prints errors on one line: they may quote files, charts and messages of the API server."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in the base class
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc] # final only for subclasses
            raise


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WORKSPACE_CTRL", "max_content_width": 100},
)
@click.version_option(package_name="workspace-ctrl", message="%(version)s")
def main() -> None:
    """Serve models on Kubernetes through a Gateway: each Workspace becomes a model server with a URL.

    Shell completion: eval "$(_WORKSPACE_CTRL_COMPLETE=bash_source workspace-ctrl)" (or zsh_source, fish_source).
    """


main.add_command(run_command)
main.add_command(status_command)
main.add_command(plan_command)
main.add_command(chart_command)
main.add_command(presets_command)
main.add_command(crd_command)
main.add_command(uninstall_check_command)
