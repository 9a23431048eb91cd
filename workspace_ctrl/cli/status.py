"""`workspace-ctrl status`: the chain of one Workspace, or a table of all; with --watch until it is ready."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from workspace_ctrl.api.conditions import Condition, ConditionType, find
from workspace_ctrl.api.labels import FIELD_MANAGER, GROUP, KIND, PLURAL, STORAGE_VERSION
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.cli.connecting import configuration_of, connection_options
from workspace_ctrl.cli.printing import to_yaml
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError, GoneError, KindNotServedError
from workspace_ctrl.kube.resources import Json, Resource

_WORKSPACES = Resource(GROUP, STORAGE_VERSION, PLURAL, KIND)
_CHAIN = (
    ConditionType.WORKLOAD_ACCEPTED,
    ConditionType.RESOURCE_READY,
    ConditionType.INFERENCE_READY,
    ConditionType.CHART_READY,
    ConditionType.ENDPOINT_PICKER_READY,
    ConditionType.ROUTE_READY,
    ConditionType.ENDPOINTS_READY,
    ConditionType.GATEWAY_READY,
)
_MARKS = {"True": ("✔", "green"), "False": ("✘", "red"), "Unknown": ("…", "yellow")}


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
    scope = "" if all_namespaces else namespace
    try:
        ready = asyncio.run(_show(configuration, _Request(scope, name or "", output, timeout if watch else 0.0)))
    except KindNotServedError:
        raise click.ClickException(
            "the cluster does not know Workspaces; install the CRD with: workspace-ctrl crd | kubectl apply --server-side -f -"
        ) from None
    except ApiError as error:
        raise click.ClickException(str(error)) from None
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
    def selection(self) -> dict[str, str]:
        """Parameters of a list or watch."""
        return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}


async def _show(configuration: Any, request: _Request) -> bool:  # noqa: ANN401
    connection = open_connection(configuration)
    try:
        client = Client(connection, FIELD_MANAGER)
        if request.timeout:
            return await _follow(client, request)
        page = await client.list_page(_WORKSPACES, request.selection, request.namespace)
        items: Sequence[Json] = page["items"]
        if request.name and not items:
            raise click.ClickException(f"there is no Workspace {request.namespace}/{request.name}")
        _print(request, items)
        return not request.name or _is_ready(parse_status(items[0].get("status")))
    finally:
        await connection.close()


async def _follow(client: Client, request: _Request) -> bool:
    console = Console()
    ready: Json | None = None
    with Live(Text("waiting for the Workspace ..."), console=console, refresh_per_second=4) as live, suppress(TimeoutError):
        async with asyncio.timeout(request.timeout):
            async for item in _changes(client, request):
                live.update(_chain_view(item), refresh=True)
                if _is_ready(parse_status(item.get("status"))):
                    ready = item
                    break
    if ready is None:
        console.print(f"not ready after {request.timeout:.0f} s", style="red")
        return False
    _print_url(console, ready)
    return True


async def _changes(client: Client, request: _Request) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the Workspace as it is, and again whenever it changes."""
    while True:
        page = await client.list_page(_WORKSPACES, request.selection, request.namespace)
        for item in page["items"]:
            yield item
        parameters = {**request.selection, "resourceVersion": page["metadata"]["resourceVersion"]}
        with suppress(GoneError):
            async for event in client.watch(_WORKSPACES, parameters, request.namespace):
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]


def _is_ready(status: WorkspaceStatus) -> bool:
    ready = find(status.conditions, ConditionType.READY)
    return ready is not None and ready.is_true


def _print(request: _Request, items: Sequence[Json]) -> None:
    if request.output != "table":
        document: Any = items[0] if request.name else {"apiVersion": "v1", "kind": "List", "items": list(items)}
        click.echo(json.dumps(document, indent=2) if request.output == "json" else to_yaml(document).rstrip())
        return
    console = Console()
    if request.name:
        console.print(_chain_view(items[0]))
        _print_url(console, items[0])
    elif items:
        console.print(_list_view(items))
    else:
        console.print("no Workspaces" + (f" in namespace {request.namespace}" if request.namespace else ""))


def _chain_view(item: Json) -> RenderableType:
    status = parse_status(item.get("status"))
    conditions = status.conditions
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for type_ in _CHAIN:
        condition = find(conditions, type_)
        if condition is not None:
            table.add_row(*_row(condition))
    metadata = item["metadata"]
    heading = Text(f"Workspace {metadata['namespace']}/{metadata['name']}", style="bold")
    return Group(heading, table if conditions else Text("no status yet: is the controller running?"))


def _print_url(console: Console, item: Json) -> None:
    """Print the URL in one piece, whatever the width of the terminal, so that it can be copied."""
    status = parse_status(item.get("status"))
    if status.gateway and status.gateway.url:
        console.print(f"URL {status.gateway.url}", style="cyan", soft_wrap=True, highlight=False)


def _row(condition: Condition) -> tuple[Text, Text, Text]:
    mark, style = _MARKS.get(condition.status, ("?", "yellow"))
    words = condition.message if condition.is_true else f"{condition.reason}: {condition.message}"
    return Text(mark, style=style), Text(condition.type), Text(words, style="" if condition.is_true else style)


def _list_view(items: Sequence[Json]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for heading in ("NAMESPACE", "NAME", "READY", "REASON"):
        table.add_column(heading, no_wrap=True)
    table.add_column("URL", no_wrap=True, ratio=1)  # takes what is left of the line, and is cut first
    for item in items:
        status = parse_status(item.get("status"))
        ready = find(status.conditions, ConditionType.READY) or Condition("Ready", "Unknown", "NoStatus")
        style = _MARKS.get(ready.status, ("", "yellow"))[1]
        url = (status.gateway.url if status.gateway else None) or ""
        metadata = item["metadata"]
        table.add_row(metadata["namespace"], metadata["name"], Text(ready.status, style=style), ready.reason, url)
    return table
