"""`workspace-ctrl promote` and `workspace-ctrl abort`: the author decides about a canary, whatever its figures say."""

from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.labels import CANARY_ANNOTATION
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.api.traffic.group_status import GroupStatus
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.named_workspaces import find_named, kind_of
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.resources import Json

_MANAGER: Final = "workspace-ctrl-cli"
"""Field manager of what a user has a command write."""
_NONE: Final = "gets no requests of its group any more"
_DONE: Final = {"promote": "gets all requests of its group", "abort": _NONE}
_ALONE: Final = f"{_NONE} as soon as another member has a weight, which none has now"


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

    The other members get them; where none has a weight, it keeps its requests until one has. Its version is meant: after a change of the
    model server, a canary begins with its first step.
    """
    _decide("abort", name, kubeconfig, context, namespace)


def _decide(verb: str, name: str, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)
    (wanted,) = parse_names((name,))

    async def annotate(client: Client) -> str:
        item = await find_named(client, wanted, own)
        group = _group_of(item)
        revision, metadata = group.canary.revision if group.canary is not None else "", item["metadata"]
        patch = {"metadata": {"annotations": {CANARY_ANNOTATION: f"{verb}-{revision}"}}}
        await client.merge_patch(
            kind_of(item).resource, str(metadata["namespace"]), str(metadata["name"]), patch, field_manager=_MANAGER
        )
        done = _ALONE if verb == "abort" and not has_other_weight(group, str(metadata["name"])) else _DONE[verb]
        return f"{item['kind']} {metadata['namespace']}/{metadata['name']} {done} (revision {revision})"

    click.echo(calling(access, _MANAGER, annotate))


def has_other_weight(group: GroupStatus, name: str) -> bool:
    """Whether a member of a group other than `name` has a weight, or would get the requests as a fallback, as a status says."""
    others = (member for member in group.members if member.name != name)
    return any(member.weight or member.current or member.fallback for member in others)


def _group_of(item: Json) -> GroupStatus:
    """Return the group of a canary, with how far that is.

    Raises:
        click.ClickException: the object is none, or no controller has seen it yet; exit code 1.
    """
    gateway = parse_status(item.get("status"), str(item["kind"])).gateway
    group = gateway.group if gateway is not None else None
    if group is None or group.canary is None or not group.canary.revision:
        title = f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"
        raise click.ClickException(f"{title} is no canary: it has no gateway.group.canary, or no controller has seen that yet")
    return group
