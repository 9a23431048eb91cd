"""`workspace-ctrl uninstall-check`: says whether the controller may go, before it goes."""

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cli.connecting import configuration_of, connection_options
from workspace_ctrl.controller.kinds import WORKSPACE
from workspace_ctrl.controller.scope import Scope, SelectorError, parse_selector
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError, KindNotServedError

_NAMED: Final = 3
_LIMIT: Final = 500


@click.command("uninstall-check")
@connection_options
@click.option("--namespace", "namespaces", multiple=True, metavar="NAMESPACE", help="Look in this namespace only; repeat for more.")
@click.option("--shard-selector", default="", metavar="LABELS", help="Look at Workspaces with these labels only.")
def uninstall_check_command(
    *, kubeconfig: Path | None, context: str | None, namespaces: tuple[str, ...], shard_selector: str
) -> None:
    """Fail while there are Workspaces: without a controller they would serve on, and hang when they are deleted.

    Exit code: 0 when there are none, 1 when there are some. The chart runs it before `helm uninstall`.
    """
    try:
        scope = Scope(tuple(sorted(set(namespaces))), parse_selector(shard_selector) if shard_selector else "")
    except SelectorError as error:
        raise click.UsageError(f"--shard-selector: {error}") from None
    try:
        names = asyncio.run(_workspaces(configuration_of(kubeconfig, context), scope))
    except ApiError as error:
        raise click.ClickException(str(error)) from None
    if names:
        raise click.ClickException(_refusal(names))
    click.echo("there are no Workspaces")


async def _workspaces(configuration: Any, scope: Scope) -> list[str]:  # noqa: ANN401
    connection = open_connection(configuration)
    parameters = {"limit": str(_LIMIT)} | ({"labelSelector": scope.selector} if scope.selector else {})
    found = []
    try:
        client = Client(connection, FIELD_MANAGER)
        for namespace in scope.namespaces or ("",):
            page = await client.list_page(WORKSPACE, parameters, namespace, metadata_only=True)
            found += [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in page.get("items") or ()]
    except KindNotServedError:
        return []
    finally:
        await connection.close()
    return found


def _refusal(names: list[str]) -> str:
    more = ", ..." if len(names) > _NAMED else ""
    count = f"{len(names)} Workspaces are" if len(names) > 1 else "1 Workspace is"
    return (
        f"{count} still there ({', '.join(names[:_NAMED])}{more}). Delete them first: kubectl delete workspaces --all --all-namespaces. "
        "Or leave them to a later installation with helm uninstall --no-hooks: they serve on, and one that is deleted waits for it."
    )
