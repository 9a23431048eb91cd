"""`workspace-ctrl status`: the chain of one Workspace, or a table of several; with --watch until it is ready, or for ever."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cli.arguments.durations import DURATION
from workspace_ctrl.cli.arguments.object_names import ObjectName, parse_names
from workspace_ctrl.cli.arguments.output_format import TABLE, WIDE, OutputFormat, output_option
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of, namespace_options
from workspace_ctrl.cli.inspect.named_workspaces import find_named, find_of_any_kind, kind_of, list_kinds
from workspace_ctrl.cli.output import shown
from workspace_ctrl.cli.printing.tables import TablePrinter
from workspace_ctrl.cli.status_view import chain_view, headings, is_ready, print_url, row_of, shallow
from workspace_ctrl.cli.workspace_watch import WorkspaceDeletedError, WorkspaceWatch, follow_list
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.companion_status import with_our_status

_PATIENCE_SECONDS = 600.0


@click.command("status")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@connection_options
@namespace_options
@click.option("--selector", "-l", default="", metavar="LABELS", help="List only Workspaces that match this label selector.")
@click.option("--watch", "-w", is_flag=True, help="Follow the changes: of one Workspace until it is ready, of a list until Ctrl-C.")
@click.option("--timeout", type=DURATION, help="Longest time to watch, such as 90s or 5m.  [default: 10m for one Workspace]")
@output_option
def status_command(
    *,
    names: tuple[str, ...],
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    watch: bool,
    timeout: float | None,
    output: OutputFormat,
) -> None:
    """Show the chain from a Workspace or InferenceSet to an answered request, link by link.

    NAME can be NAMESPACE/NAME, workspace/NAME, inferenceset/NAME, or several. Without NAME, lists those of the namespace.
    Exit code: 0 when all named ones are ready (or listed), 1 when not, 2 on wrong usage.
    """
    wanted = parse_names(names)
    named = bool(wanted[0].name)
    if named and selector:
        raise click.UsageError("--selector goes with lists only, not with names")
    if watch and len(wanted) > 1:
        raise click.UsageError("--watch follows one Workspace, or a list; name one, or none")
    if watch and named and output.word != TABLE:
        raise click.UsageError("--watch of one Workspace goes with the table only")
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace, all_namespaces=all_namespaces)
    request = Request(own, wanted, output, selector, timeout)
    try:
        ready = calling(access, FIELD_MANAGER, lambda client: _show(client, request, watch=watch))
    except WorkspaceDeletedError:
        raise click.ClickException(f"{request.title(wanted[0])} was deleted") from None
    sys.exit(0 if ready else 1)


@dataclass(frozen=True)
class Request:
    """What to show."""

    namespace: str
    """Empty for all."""
    wanted: tuple[ObjectName, ...]
    output: OutputFormat
    selector: str = ""
    timeout: float | None = None
    """Seconds to watch; None for the default."""

    def place(self, wanted: ObjectName) -> str:
        """Return the namespace of one name; empty for all."""
        return wanted.namespace or self.namespace

    def title(self, wanted: ObjectName) -> str:
        """Return the namespace, where there is one, and name."""
        return "/".join(filter(None, (self.place(wanted), wanted.name)))

    @property
    def is_wide(self) -> bool:
        """Whether URLs are in the table: with -o wide, and where another program reads it."""
        return self.output.word == WIDE or not sys.stdout.isatty()


async def _show(client: Client, request: Request, *, watch: bool) -> bool:
    first = request.wanted[0]
    if watch:
        return await (_watch(client, request, first) if first.name else _watch_list(client, request))
    if not first.name:
        items = await list_kinds(client, first, request.place(first), request.selector)
        _print_list(request, [*map(with_our_status, items)])
        return True
    return await _show_named(client, request)


async def _watch(client: Client, request: Request, wanted: ObjectName) -> bool:
    console = Console()
    patience = _PATIENCE_SECONDS if request.timeout is None else request.timeout
    found = await find_of_any_kind(client, wanted, request.place(wanted))
    resource = (kind_of(found) if found is not None else wanted.kind).resource
    watch = WorkspaceWatch(client, resource, request.place(wanted), wanted.name)
    waiting = shown(f"waiting for {resource.kind} {request.title(wanted)} ...")
    live = Live(waiting, console=console, refresh_per_second=4) if console.is_terminal else None
    if live is None:
        console.print(waiting, soft_wrap=True)

    async def show(item: Json) -> bool:
        if live is not None:
            live.update(chain_view(item), refresh=True)
        return is_ready(item)

    try:
        with live or nullcontext(), suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await watch.until(show)
    finally:  # in a pipe only the end is printed, also after Ctrl-C
        if live is None and watch.current is not None:
            console.print(chain_view(watch.current), soft_wrap=True)
    item = watch.current
    if item is not None and is_ready(item):
        print_url(console, item)
        return True
    words = "not ready" if item is not None else f"no {resource.kind} {request.title(wanted)}"
    console.print(shown(f"{words} after {patience:.0f} s", "red"))
    return False


async def _watch_list(client: Client, request: Request) -> bool:
    """Print the table, and then a row for each change, as kubectl does."""
    first = request.wanted[0]
    with_namespace, wide = not request.place(first), request.is_wide
    table = TablePrinter(headings(with_namespace=with_namespace, wide=wide))

    def show(items: Sequence[Json]) -> None:
        if request.output.is_table:
            now = datetime.now(UTC)
            table.print([row_of(item, now, with_namespace=with_namespace, wide=wide) for item in items])
        else:
            for item in items:
                request.output.print_one(shallow(item), _plural(first))
        sys.stdout.flush()

    with suppress(TimeoutError):
        async with asyncio.timeout(request.timeout):
            await follow_list(client, first.kind.resource, request.place(first), request.selector, show)
    return True


async def _show_named(client: Client, request: Request) -> bool:
    found = [with_our_status(await find_named(client, wanted, request.namespace)) for wanted in request.wanted]
    if not request.output.is_table:
        plural = _plural(request.wanted[0])
        if len(found) == 1:
            request.output.print_one(shallow(found[0]), plural)
        else:
            request.output.print_list([*map(shallow, found)], plural)
    elif request.output.word == WIDE:
        _print_list(request, found)
    else:
        console = Console()
        for item in found:
            console.print(chain_view(item), soft_wrap=True)
            print_url(console, item)
    return all(map(is_ready, found))


def _print_list(request: Request, items: Sequence[Json]) -> None:
    first = request.wanted[0]
    if not request.output.is_table:
        request.output.print_list([*map(shallow, items)], _plural(first))
        return
    if not items:
        namespace = request.place(first)
        kinds = " and ".join(f"{kind.resource.kind}s" for kind in first.kinds)
        click.echo(f"no {kinds}" + (f" in namespace {namespace}" if namespace else ""), err=True)
        return
    with_kind = len({item.get("kind") for item in items}) > 1
    options = {"with_namespace": not request.place(first), "wide": request.is_wide, "with_kind": with_kind}
    now = datetime.now(UTC)
    TablePrinter(headings(**options)).print([row_of(item, now, **options) for item in items])


def _plural(wanted: ObjectName) -> str:
    """Return how `-o name` writes the kind."""
    resource = wanted.kind.resource
    return f"{resource.kind.lower()}.{resource.group}"
