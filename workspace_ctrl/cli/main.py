"""`workspace-ctrl`, also as `kubectl workspace`: the group of commands."""

from collections.abc import Mapping
from typing import Final

import click

from workspace_ctrl.cli.shell.lazy_group import LazyGroup

_CLI: Final = "workspace_ctrl.cli"
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "status": (
        f"{_CLI}.status:status_command",
        "Show the chain from a Workspace or InferenceSet to an answered request, link by link.",
    ),
    "explain": (f"{_CLI}.inspect.explain:explain_command", "Explain why a Workspace is not ready, or what a reason means."),
    "ui": (f"{_CLI}.page.ui:ui_command", "Show all Workspaces, InferenceSets and Gateways on a local page."),
    "ui-server": (
        f"{_CLI}.page.ui_server:ui_server_command",
        "Serve the page of `ui` in a cluster, to users with tokens of their own.",
    ),
    "events": (f"{_CLI}.inspect.events:events_command", "Show the Events of all objects of a Workspace."),
    "logs": (f"{_CLI}.inspect.logs:logs_command", "Print the logs of the pods of a Workspace."),
    "chat": (f"{_CLI}.inspect.chat:chat_command", "Ask the model of a Workspace through its Gateway."),
    "plan": (
        f"{_CLI}.plan:plan_command",
        "Show all objects that would be created for Workspaces and InferenceSets, in the order of creation.",
    ),
    "diff": (f"{_CLI}.inspect.diff:diff_command", "Show what an apply would change on the cluster."),
    "promote": (f"{_CLI}.change.canary:promote_command", "Give a canary all requests of its group, whatever its figures say."),
    "abort": (f"{_CLI}.change.canary:abort_command", "Take all requests of its group from a canary, also after it was promoted."),
    "doctor": (f"{_CLI}.inspect.doctor:doctor_command", "Check that the cluster has what Workspaces need."),
    "presets": (f"{_CLI}.presets:presets_command", "List the models of the catalog."),
    "chart": (f"{_CLI}.chart:chart_command", "Check charts that install pool and endpoint picker."),
    "crd": (f"{_CLI}.crd:crd_command", "Print the CustomResourceDefinitions of Workspace and InferenceSet, or of one KIND."),
    "run": (f"{_CLI}.run:run_command", "Run the controller until a signal ends it."),
    "model-index": (
        f"{_CLI}.pods.model_index:model_index_command",
        "Answer the list of models, and requests that no model takes, until a signal ends it.",
    ),
    "uninstall-check": (
        f"{_CLI}.pods.uninstall_check:uninstall_check_command",
        "Fail if Workspaces or InferenceSets exist: without the controller, they keep serving, but their deletion hangs.",
    ),
    "version": (f"{_CLI}.inspect.version:version_command", "Show the versions of this program and of the cluster's parts."),
    "completion": (f"{_CLI}.shell.completion:completion_command", "Print the completion script of a shell."),
    "cli-reference": (f"{_CLI}.shell.reference_page:cli_reference_command", ""),
}
"""Command → where it is defined, and the first line of its help; empty for one that is hidden."""


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WORKSPACE_CTRL", "max_content_width": 100},
)
@click.version_option(package_name="workspace-ctrl", message="%(version)s")
def main() -> None:
    """Serve models on Kubernetes through a Gateway: each Workspace becomes a model server with a URL.

    As a plugin of kubectl: kubectl workspace COMMAND.
    """
