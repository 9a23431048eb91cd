"""`workspace-ctrl events`: the Events of all objects of a Workspace."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.arguments.output_format import OutputFormat, output_option
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.named_workspaces import find_named
from workspace_ctrl.cli.inspect.objects_of_workspace import Belonging, events_of, last_seen
from workspace_ctrl.cli.printing.tables import Cell, print_table
from workspace_ctrl.cli.status_view import age_of
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json

_EVENT: Final = ApiResource("", "v1", "events", "Event")


@click.command("events")
@click.argument("names", nargs=-1, required=True, metavar="NAME")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
@output_option
def events_command(
    *, names: tuple[str, ...], kubeconfig: Path | None, context: str | None, namespace: str | None, output: OutputFormat
) -> None:
    """Show the Events of all objects of a Workspace.

    Of the Workspace itself, its workload and pods, the objects of Flux and of the chart, and the route; the newest last.
    """
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)

    async def ask(client: Client) -> list[Json]:
        found: list[Json] = []
        for wanted in parse_names(names):
            item = await find_named(client, wanted, own)
            place = str(item["metadata"]["namespace"])
            found += events_of(await list_all(client, _EVENT, {}, place), Belonging.to(item))
        return found

    events = calling(access, FIELD_MANAGER, ask)
    if not output.is_table:
        output.print_list(events, "event")
    elif events:
        _print(events)
    else:
        click.echo("no Events: the API server keeps them for an hour by default", err=True)


def _print(events: Sequence[Json]) -> None:
    now = datetime.now(UTC)
    print_table(("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"), [_row(event, now) for event in events])


def _row(event: Json, now: datetime) -> tuple[Cell | str, ...]:
    about = event.get("involvedObject") or {}
    type_ = str(event.get("type") or "")
    seen = age_of({"creationTimestamp": last_seen(event)}, now)
    count = event.get("count") or (event.get("series") or {}).get("count") or 1
    times = f" (x{count})" if isinstance(count, int) and count > 1 else ""
    subject = f"{about.get('kind', '')}/{about.get('name', '')}"
    color = "yellow" if type_ == "Warning" else ""
    return f"{seen}{times}", Cell(type_, color), str(event.get("reason") or ""), subject, str(event.get("message") or "")
