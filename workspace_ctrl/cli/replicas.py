"""Options that say what part of a cluster one process looks after, and which of several replicas works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from workspace_ctrl.controller.scope import Scope, SelectorError, parse_selector
from workspace_ctrl.controller.settings import LeaderElection

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_OPTIONS = (
    click.option("--leader-elect", is_flag=True, help="Work only while holding a Lease, so that several replicas can run."),
    click.option("--leader-election-namespace", metavar="NAMESPACE", help="Namespace of the Lease.  [default: the pod's own]"),
    click.option("--leader-election-name", default="workspace-ctrl", show_default=True, help="Name of the Lease."),
    click.option(
        "--namespace", "namespaces", multiple=True, metavar="NAMESPACE", help="Look after this namespace only; repeat for more."
    ),
    click.option(
        "--shard-selector", default="", metavar="LABELS", help="Look after Workspaces with these labels only, such as shard=a."
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
    """Return what part of the cluster the options choose.

    Raises:
        click.UsageError: the selector cannot be read; exit code 2.
    """
    selector = options["shard_selector"]
    try:
        return Scope(tuple(sorted(set(options["namespaces"]))), parse_selector(selector) if selector else "")
    except SelectorError as error:
        raise click.UsageError(f"--shard-selector: {error}") from None


def election_of(options: ReplicaOptions) -> LeaderElection | None:
    """Return the Lease that the options name; None without an election.

    Raises:
        click.UsageError: nothing says in which namespace the Lease is kept; exit code 2.
    """
    if not options["leader_elect"]:
        return None
    namespace = options["leader_election_namespace"]
    if namespace is None and _POD_NAMESPACE.exists():
        namespace = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    if not namespace:
        raise click.UsageError("--leader-elect outside of a pod needs --leader-election-namespace, where the Lease is kept")
    return LeaderElection(namespace, options["leader_election_name"])
