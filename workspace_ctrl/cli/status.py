"""`workspace-ctrl status`: the chain of one Workspace, or a table of all; with --watch until it is ready."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.cli.connection_options import configuration_of, connection_options
from workspace_ctrl.cli.output import shown, to_json, to_yaml
from workspace_ctrl.cli.status_view import chain_view, is_ready, list_view, print_url, shallow
from workspace_ctrl.cli.workspace_watch import WorkspaceDeletedError, WorkspaceWatch
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError, KindNotServedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.companion_status import with_our_status


@click.command("status")
@click.argument("name", required=False, metavar="[[NAMESPACE/]NAME]")
@connection_options
@click.option("--namespace", "-n", default="default", show_default=True, help="Namespace of the Workspace.")
@click.option("--all-namespaces", "-A", is_flag=True, help="List the Workspaces of all namespaces.")
@click.option("--watch", "-w", is_flag=True, help="Follow the changes until the Workspace is ready.")
@click.option("--timeout", default=600.0, show_default=True, help="Longest time to watch, in seconds.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format.")
def status_command(
    *,
    name: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    all_namespaces: bool,
    watch: bool,
    timeout: float,
    output: str,
) -> None:
    """Show the chain from a Workspace to an answered request, link by link.

    Without NAME, lists the Workspaces of the namespace. Exit code: 0 when it is ready (or listed), 1 when not, 2 on wrong usage.
    """
    if name and "/" in name:
        namespace, _, name = name.partition("/")
    if watch and (not name or output != "table"):
        raise click.UsageError("--watch needs the name of one Workspace, and goes with the table only")
    configuration = configuration_of(kubeconfig, context)
    request = _Request("" if all_namespaces else namespace, name or "", output, timeout if watch else 0.0)
    try:
        ready = asyncio.run(_show(configuration, request))
    except KindNotServedError:
        raise click.ClickException(
            "the cluster does not know Workspaces; install the CRD with: workspace-ctrl crd | kubectl apply --server-side -f -"
        ) from None
    except ApiError as error:
        raise click.ClickException(str(error)) from None
    except WorkspaceDeletedError:
        raise click.ClickException(f"Workspace {request.title} was deleted") from None
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if ready else 1)


@dataclass(frozen=True)
class _Request:
    """What to show."""

    namespace: str
    """Empty for all."""
    name: str
    """Empty for all Workspaces of the namespace."""
    output: str
    timeout: float
    """Seconds to watch; 0 to look once."""

    @property
    def title(self) -> str:
        """Namespace, where there is one, and name."""
        return "/".join(filter(None, (self.namespace, self.name)))


async def _show(configuration: Any, request: _Request) -> bool:  # noqa: ANN401
    connection = open_connection(configuration)
    try:
        client = Client(connection, FIELD_MANAGER)
        if request.timeout:
            return await _watch(client, request)
        if request.name:
            return await _show_one(client, request)
        _print_list(request, [*map(with_our_status, await list_all(client, WORKSPACE, {}, request.namespace))])
        return True
    finally:
        await connection.close()


async def _watch(client: Client, request: _Request) -> bool:
    console = Console()
    watch = WorkspaceWatch(client, request.namespace, request.name)
    with Live(Text("waiting for the Workspace ..."), console=console, refresh_per_second=4) as live, suppress(TimeoutError):
        async with asyncio.timeout(request.timeout):
            await watch.until_ready(lambda item: live.update(chain_view(item), refresh=True))
    item = watch.current
    if item is not None and is_ready(item):
        print_url(console, item)
        return True
    words = "not ready" if item is not None else f"no Workspace {request.title}"
    console.print(shown(f"{words} after {request.timeout:.0f} s", "red"))
    return False


async def _show_one(client: Client, request: _Request) -> bool:
    item: Json | None = await client.find(WORKSPACE, request.namespace, request.name)
    if item is None:
        raise click.ClickException(f"there is no Workspace {request.title}")
    item = with_our_status(item)
    if request.output == "table":
        console = Console()
        console.print(chain_view(item))
        print_url(console, item)
    else:
        _print_document(request.output, shallow(item))
    return is_ready(item)


def _print_list(request: _Request, items: Sequence[Json]) -> None:
    console = Console()
    if request.output != "table":
        _print_document(request.output, {"apiVersion": "v1", "kind": "List", "items": [*map(shallow, items)]})
    elif items:
        console.print(list_view(items))
    else:
        console.print(shown("no Workspaces" + (f" in namespace {request.namespace}" if request.namespace else "")))


def _print_document(output: str, document: Json) -> None:
    click.echo(to_json(document) if output == "json" else to_yaml(document).rstrip())
