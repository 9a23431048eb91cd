"""`workspace-ctrl uninstall-check`: checks before the uninstallation that no Workspaces and InferenceSets exist."""

import asyncio
import shlex
from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.labels import FIELD_MANAGER, MANAGED_BY_LABEL
from workspace_ctrl.cache.watches import HELM_RELEASE, INFERENCE_SET, NAMESPACE, OCI_REPOSITORY, OURS, WORKSPACE
from workspace_ctrl.cli.arguments.durations import DURATION
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.settings.workspace_scope import Scope, SelectorError, parse_selector

_EVERYTHING: Final = Scope()
_NAMED: Final = 3
_LOOK_AGAIN_SECONDS: Final = 1.0
_FLUX: Final = (HELM_RELEASE, OCI_REPOSITORY)
"""Kinds that are deleted shortly after their Workspace, by Flux."""
_ANY_OF_OURS: Final = f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Also selects the body-based routers of Gateways."""


@click.command("uninstall-check")
@connection_options
@click.option("--namespace", "namespaces", multiple=True, metavar="NAMESPACE", help="Check only this namespace; repeatable.")
@click.option("--shard-selector", default="", metavar="LABELS", help="Check only Workspaces matching this selector.")
@click.option(
    "--timeout",
    type=DURATION,
    default="30s",
    show_default=True,
    help="Longest time to wait, such as 30s or 5m, until the objects of deleted Workspaces are gone.",
)
def uninstall_check_command(
    *, kubeconfig: Path | None, context: str | None, namespaces: tuple[str, ...], shard_selector: str, timeout: float
) -> None:
    """Fail if Workspaces or InferenceSets exist: without the controller, they keep serving, but their deletion hangs.

    Exit code: 0 if there are none, 1 if there are some. The chart runs it before `helm uninstall`.
    """
    try:
        scope = Scope(tuple(sorted(set(namespaces))), parse_selector(shard_selector) if shard_selector else "")
    except SelectorError as error:
        raise click.UsageError(f"--shard-selector: {error}") from None
    refusal = calling(access_of(kubeconfig, context), FIELD_MANAGER, lambda client: _refusal(client, scope, timeout))
    if refusal:
        raise click.ClickException(refusal)
    click.echo("no Workspaces and none of their objects found")


async def _refusal(client: Client, scope: Scope, timeout: float) -> str:  # noqa: ASYNC109 - a user's setting
    """Return why the controller must not be uninstalled; empty if it can be."""
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        kinds = (WORKSPACE, INFERENCE_SET)
        if names := [name for kind in kinds for name in await _names(client, kind, scope.selector, scope)]:
            return _there_are(names, scope)
        # Objects of different shards cannot be distinguished.
        mine = OURS if scope.namespaces else _ANY_OF_OURS
        left = [] if scope.selector else [name for kind in _FLUX for name in await _names(client, kind, mine, scope)]
        if not left:
            return ""
        if asyncio.get_running_loop().time() > deadline:
            return f"Flux has not deleted {_some(left)} yet; check their conditions, and retry when they are gone"
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _names(client: Client, resource: ApiResource, selector: str, scope: Scope) -> list[str]:
    """Return the objects of a kind; none if the kind is not served, or is forbidden because the feature gate is off."""
    parameters = {"labelSelector": selector} if selector else {}
    found: list[str] = []
    for namespace in scope.namespaces or ("",):
        try:
            items = await list_all(client, resource, parameters, namespace, metadata_only=True)
        except KindNotServedError:
            return []
        except ForbiddenError:
            # The rights in a namespace go with it.
            if resource in _FLUX or (namespace and await _is_gone(client, namespace)):
                continue
            raise
        metadata = (item["metadata"] for item in items)
        found += [f"{resource.kind} {each['namespace']}/{each['name']}" for each in metadata]
    return found


async def _is_gone(client: Client, name: str) -> bool:
    """Whether a namespace does not exist; False if that cannot be read."""
    try:
        items = await list_all(client, NAMESPACE, {"fieldSelector": f"metadata.name={name}"}, metadata_only=True)
    except ForbiddenError:
        return False
    return not items


def _there_are(names: list[str], scope: Scope = _EVERYTHING) -> str:
    kinds = [resource for resource in (WORKSPACE, INFERENCE_SET) if any(name.startswith(f"{resource.kind} ") for name in names)]
    several = " and ".join(f"{resource.kind}s" for resource in kinds)
    count = f"{len(names)} {several} still exist" if len(names) > 1 else f"1 {kinds[0].kind} still exists"
    plurals = ",".join(resource.plural for resource in kinds)
    return (
        f"{count} ({_some(names)}). Delete them first: {_deletion(plurals, scope)}. "
        "Or keep them for a later installation with helm uninstall --no-hooks: they keep serving, and a deletion waits for it."
    )


def _deletion(plurals: str, scope: Scope) -> str:
    """Return the command that deletes what is in the scope, and nothing that another controller reconciles."""
    which = f"--selector {shlex.quote(scope.selector)}" if scope.selector else "--all"
    where = [f"--namespace {name}" for name in scope.namespaces] or ["--all-namespaces"]
    return "; ".join(f"kubectl delete {plurals} {which} {place}" for place in where)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
