"""Output of `workspace-ctrl status`: the chain of one Workspace or InferenceSet, or a table of several."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from workspace_ctrl.api.conditions import Condition, ConditionType, find
from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.api.status import InferenceSetStatus, parse_status
from workspace_ctrl.cli.output import shown
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.unreadable_objects import too_deep

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


def is_ready(item: Json) -> bool:
    """Whether a Workspace is ready, by a condition for its current generation, as Ready lags behind a change.

    One that is being deleted is not, whatever a controller has written before that.
    """
    if _is_deleting(item):
        return False
    ready = find(parse_status(item.get("status")).conditions, ConditionType.READY)
    return ready is not None and ready.is_true and ready.speaks_of(item["metadata"]["generation"])


def _is_deleting(item: Json) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def _deletion(item: Json, conditions: Sequence[Condition]) -> str:
    """Return what a deletion waits for, and whether a controller has seen it: that is the first thing that it writes."""
    finalizers = ", ".join(map(str, item["metadata"].get("finalizers") or ())) or "its dependents"
    ready = find(conditions, ConditionType.READY)
    is_seen = ready is not None and ready.reason == "Deleting"
    hint = "" if is_seen else "; no controller acts on it, so the status is from before: is the controller running?"
    return f"being deleted since {item['metadata']['deletionTimestamp']}, waiting for {finalizers}{hint}"


def shallow(item: Json) -> Json:
    """Return a Workspace without the fields that are nested too deeply to be printed, so that one of them does not break a list of all."""
    if too_deep(item) is None:
        return item
    metadata = _shallow_fields(item["metadata"])
    return _shallow_fields({**item, "metadata": metadata})


def _shallow_fields(document: Json) -> Json:
    return {name: value for name, value in document.items() if too_deep(value) is None}


def chain_view(item: Json) -> RenderableType:
    """Return the links of the chain from a Workspace or InferenceSet to an answered request."""
    status = parse_status(item.get("status"), _kind(item))
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
    replicas = f": {status.ready} replicas ready" if isinstance(status, InferenceSetStatus) and status.ready else ""
    parts: list[RenderableType] = [shown(f"{_kind(item)} {metadata['namespace']}/{metadata['name']}{replicas}", "bold")]
    if _is_deleting(item):
        parts.append(shown(_deletion(item, conditions), "red"))
    if (status.observed_generation or 0) < metadata["generation"] and conditions:
        parts.append(Text("the status is for an older generation", style="yellow"))
    return Group(*parts, table if conditions else Text("no status yet: is the controller running?"))


def _kind(item: Json) -> str:
    return SET_KIND if item.get("kind") == SET_KIND else KIND


def print_url(console: Console, item: Json) -> None:
    """Print the URL on one line, whatever the width of the terminal, so that it can be copied."""
    status = parse_status(item.get("status"))
    if status.gateway and status.gateway.url:
        console.print(shown(f"URL {status.gateway.url}", "cyan"), soft_wrap=True)


def list_view(items: Sequence[Json]) -> RenderableType:
    """Return a table with a row for each Workspace and InferenceSet, and their kinds where there are both."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    with_kind = any(_kind(item) != KIND for item in items)
    for heading in ("NAMESPACE", *(("KIND",) if with_kind else ()), "NAME", "READY", "REASON"):
        table.add_column(heading, no_wrap=True)
    table.add_column("URL", no_wrap=True, ratio=1)  # uses the rest of the line, and is truncated first
    for item in items:
        status = parse_status(item.get("status"))
        ready = find(status.conditions, ConditionType.READY) or Condition("Ready", "Unknown", "NoStatus")
        if _is_deleting(item):
            ready = Condition("Ready", "False", "Deleting")
        style = _MARKS.get(ready.status, ("", "yellow"))[1]
        url = (status.gateway.url if status.gateway else None) or ""
        metadata = item["metadata"]
        kind = (shown(_kind(item)),) if with_kind else ()
        names = shown(metadata["namespace"]), *kind, shown(metadata["name"])
        table.add_row(*names, shown(ready.status, style), shown(ready.reason), shown(url))
    return table


def _row(condition: Condition) -> tuple[Text, Text, Text]:
    mark, style = _MARKS.get(condition.status, ("?", "yellow"))
    words = condition.message if condition.is_true else f"{condition.reason}: {condition.message}"
    return Text(mark, style=style), shown(condition.type), shown(words, "" if condition.is_true else style)
