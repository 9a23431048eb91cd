"""Options for the scope of a process and for leader election."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from workspace_ctrl.settings.process import LeaderElection
from workspace_ctrl.settings.workspace_scope import Scope, SelectorError, parse_selector

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_OPTIONS = (
    click.option("--leader-elect", is_flag=True, help="Enable leader election, for several replicas."),
    click.option("--leader-election-namespace", metavar="NAMESPACE", help="Namespace of the Lease.  [default: that of the pod]"),
    click.option("--leader-election-name", default="workspace-ctrl", show_default=True, help="Name of the Lease."),
    click.option(
        "--namespace",
        "namespaces",
        multiple=True,
        metavar="NAMESPACE",
        help="Reconcile only Workspaces in this namespace; repeatable.",
    ),
    click.option(
        "--shard-selector", default="", metavar="LABELS", help="Reconcile only Workspaces matching this selector, such as shard=a."
    ),
)


class ReplicaOptions(TypedDict):
    """The values of `replica_options`, as click passes them."""

    leader_elect: bool
    leader_election_namespace: str | None
    leader_election_name: str
    namespaces: tuple[str, ...]
    shard_selector: str


def replica_options(function: FunctionT) -> FunctionT:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def scope_of(options: ReplicaOptions) -> Scope:
    """Return the scope.

    Raises:
        click.UsageError: the selector is invalid; exit code 2.
    """
    selector = options["shard_selector"]
    try:
        return Scope(tuple(sorted(set(options["namespaces"]))), parse_selector(selector) if selector else "")
    except SelectorError as error:
        raise click.UsageError(f"--shard-selector: {error}") from None


def election_of(options: ReplicaOptions) -> LeaderElection | None:
    """Return the Lease; None without leader election.

    Raises:
        click.UsageError: the namespace of the Lease is not known; exit code 2.
    """
    if not options["leader_elect"]:
        return None
    namespace = options["leader_election_namespace"]
    if namespace is None and _POD_NAMESPACE.exists():
        namespace = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    if not namespace:
        raise click.UsageError("--leader-elect needs --leader-election-namespace outside of a pod")
    return LeaderElection(namespace, options["leader_election_name"])
