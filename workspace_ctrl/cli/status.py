"""`workspace-ctrl status`: the chain of one Workspace or InferenceSet, or a table of all; with --watch until it is ready."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cache.watches import INFERENCE_SET, WORKSPACE
from workspace_ctrl.cli.connection_options import configuration_of, connection_options
from workspace_ctrl.cli.output import shown, to_json, to_yaml
from workspace_ctrl.cli.status_view import chain_view, is_ready, list_view, print_url, shallow
from workspace_ctrl.cli.workspace_watch import WorkspaceDeletedError, WorkspaceWatch
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError, ForbiddenError, KindNotServedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.records.companion_status import with_our_status

_RESOURCES: Final = {resource.kind.lower(): resource for resource in (WORKSPACE, INFERENCE_SET)}


@click.command("status")
@click.argument("name", required=False, metavar="[[NAMESPACE/]NAME]")
@connection_options
@click.option(
    "--kind",
    type=click.Choice([*_RESOURCES]),
    help="Kind of the object. Default: a Workspace if there is one of that name, else the InferenceSet; both in a list.",
)
@click.option("--namespace", "-n", default="default", show_default=True, help="Namespace of the Workspace.")
@click.option("--all-namespaces", "-A", is_flag=True, help="List the Workspaces of all namespaces.")
@click.option("--watch", "-w", is_flag=True, help="Follow the changes until the Workspace is ready.")
@click.option("--timeout", default=600.0, show_default=True, help="Longest time to watch, in seconds.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format.")
def status_command(
    *,
    name: str | None,
    kind: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    all_namespaces: bool,
    watch: bool,
    timeout: float,
    output: str,
) -> None:
    """Show the chain from a Workspace or InferenceSet to an answered request, link by link.

    Without NAME, lists those of the namespace. Exit code: 0 when it is ready (or listed), 1 when not, 2 on wrong usage.
    """
    if name and "/" in name:
        namespace, _, name = name.partition("/")
    if watch and (not name or output != "table"):
        raise click.UsageError("--watch needs the name of one Workspace, and goes with the table only")
    configuration = configuration_of(kubeconfig, context)
    request = _Request("" if all_namespaces else namespace, name or "", output, timeout if watch else 0.0, kind or "")
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
    """Empty for all of the namespace."""
    output: str
    timeout: float
    """Seconds to watch; 0 to look once."""
    kind: str = ""
    """Key of `_RESOURCES`; empty for any."""

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
        items = [item for resource in _asked(request) for item in await _list(client, resource, request)]
        _print_list(request, [*map(with_our_status, items)])
        return True
    finally:
        await connection.close()


def _asked(request: _Request) -> tuple[ApiResource, ...]:
    return (_RESOURCES[request.kind],) if request.kind else tuple(_RESOURCES.values())


async def _list(client: Client, resource: ApiResource, request: _Request) -> list[Json]:
    """Return the objects of a kind, with that kind; none if only Workspaces are served, as by an older CRD."""
    try:
        items = await list_all(client, resource, {}, request.namespace)
    except (KindNotServedError, ForbiddenError):
        if resource is WORKSPACE or request.kind:
            raise
        return []
    return [{**item, "kind": resource.kind} for item in items]


async def _find(client: Client, request: _Request) -> Json | None:
    """Return the object of that name, the Workspace first if the kind is not given."""
    for resource in _asked(request):
        try:
            item = await client.find(resource, request.namespace, request.name)
        except (KindNotServedError, ForbiddenError):
            if resource is WORKSPACE or request.kind:
                raise
            continue
        if item is not None:
            return {**item, "kind": resource.kind}
    return None


async def _watch(client: Client, request: _Request) -> bool:
    console = Console()
    found = await _find(client, request)
    resource = _RESOURCES[str(found["kind"]).lower()] if found is not None else _asked(request)[0]
    watch = WorkspaceWatch(client, resource, request.namespace, request.name)
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
    item = await _find(client, request)
    if item is None:
        kinds = " or ".join(resource.kind for resource in _asked(request))
        raise click.ClickException(f"there is no {kinds} {request.title}")
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
