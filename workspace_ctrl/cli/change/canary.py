"""`workspace-ctrl promote` and `workspace-ctrl abort`: the author decides about a canary, whatever its figures say."""

from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.labels import CANARY_ANNOTATION
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.api.traffic.group_status import CanaryStatus
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.named_workspaces import find_named, kind_of
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.resources import Json

_MANAGER: Final = "workspace-ctrl-cli"
"""Field manager of what a user has a command write."""
_DONE: Final = {"promote": "gets all requests of its group", "abort": "gets no requests of its group any more"}


@click.command("promote")
@click.argument("name", metavar="NAME")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
def promote_command(*, name: str, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    """Give a canary all requests of its group, whatever its figures say.

    It skips the remaining steps; one that was stopped gets requests again. Its version is meant: after a change of the model server, a
    canary begins with its first step.
    """
    _decide("promote", name, kubeconfig, context, namespace)


@click.command("abort")
@click.argument("name", metavar="NAME")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
def abort_command(*, name: str, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    """Take all requests of its group from a canary, also after it was promoted.

    The other members get them. Its version is meant: after a change of the model server, a canary begins with its first step.
    """
    _decide("abort", name, kubeconfig, context, namespace)


def _decide(verb: str, name: str, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)
    (wanted,) = parse_names((name,))

    async def annotate(client: Client) -> str:
        item = await find_named(client, wanted, own)
        revision, metadata = _canary_of(item).revision, item["metadata"]
        patch = {"metadata": {"annotations": {CANARY_ANNOTATION: f"{verb}-{revision}"}}}
        await client.merge_patch(
            kind_of(item).resource, str(metadata["namespace"]), str(metadata["name"]), patch, field_manager=_MANAGER
        )
        return f"{item['kind']} {metadata['namespace']}/{metadata['name']} {_DONE[verb]} (revision {revision})"

    click.echo(calling(access, _MANAGER, annotate))


def _canary_of(item: Json) -> CanaryStatus:
    """Return how far the canary of an object is.

    Raises:
        click.ClickException: it is none, or no controller has seen it yet; exit code 1.
    """
    gateway = parse_status(item.get("status"), str(item["kind"])).gateway
    canary = gateway.group.canary if gateway is not None and gateway.group is not None else None
    if canary is None or not canary.revision:
        title = f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"
        raise click.ClickException(f"{title} is no canary: it has no gateway.group.canary, or no controller has seen that yet")
    return canary
