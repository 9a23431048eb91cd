"""Output of `workspace-ctrl status`: the chain of one Workspace or InferenceSet, or a table of several."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from workspace_ctrl.api.conditions import Condition, ConditionType, find
from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.api.status import InferenceSetStatus, parse_status
from workspace_ctrl.cli.arguments.durations import age
from workspace_ctrl.cli.output import shown
from workspace_ctrl.cli.printing.tables import Cell
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.unreadable_objects import too_deep

CHAIN = (
    ConditionType.WORKLOAD_ACCEPTED,
    ConditionType.RESOURCE_READY,
    ConditionType.INFERENCE_READY,
    ConditionType.CHART_READY,
    ConditionType.ENDPOINT_PICKER_READY,
    ConditionType.ROUTE_READY,
    ConditionType.ENDPOINTS_READY,
    ConditionType.GATEWAY_READY,
)
"""The conditions of the links, in the order of the chain."""
_BELOW = (ConditionType.GROUP_READY, ConditionType.CANARY_PROGRESSING)
"""Conditions that are shown below the chain."""
_MARKS = {"True": ("✔", "green"), "False": ("✘", "red"), "Unknown": ("…", "yellow")}


def is_ready(item: Json) -> bool:
    """Whether a Workspace is ready, by a condition for its current generation, as Ready lags behind a change.

    One that is being deleted is not, whatever a controller has written before that.
    """
    if is_deleting(item):
        return False
    ready = find(parse_status(item.get("status")).conditions, ConditionType.READY)
    return ready is not None and ready.is_true and ready.speaks_of(item["metadata"]["generation"])


def is_deleting(item: Json) -> bool:
    """Whether an object is being deleted."""
    return bool(item["metadata"].get("deletionTimestamp"))


def deletion(item: Json, conditions: Sequence[Condition]) -> str:
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
    """Return the links of the chain from a Workspace or InferenceSet to an answered request, one line each, of any length."""
    status, metadata = parse_status(item.get("status"), _kind(item)), item["metadata"]
    conditions = status.conditions
    replicas = f": {status.ready} replicas ready" if isinstance(status, InferenceSetStatus) and status.ready else ""
    lines = [shown(f"{_kind(item)} {metadata['namespace']}/{metadata['name']}{replicas}", "bold")]
    if is_deleting(item):
        lines.append(shown(deletion(item, conditions), "red"))
    lines += _rows([found for type_ in (*CHAIN, *_BELOW) if (found := find(conditions, type_)) is not None])
    warning = find(conditions, ConditionType.WARNING)
    if warning is not None and warning.is_true:
        lines.append(shown(f"! {warning.type} {warning.message}", "yellow"))
    if not conditions:
        lines.append(Text("no status yet: is the controller running?"))
    elif (status.observed_generation or 0) < metadata["generation"]:
        lines.append(Text("the status is for an older generation", style="yellow"))
    if why := without_gateway(item):
        lines.append(shown(why, "dim"))
    return Group(*lines)


def without_gateway(item: Json) -> str:
    """Return why a Workspace with a status has no condition GatewayReady; empty if it has, or has no status yet."""
    conditions = parse_status(item.get("status")).conditions
    if find(conditions, ConditionType.READY) is None or find(conditions, ConditionType.GATEWAY_READY) is not None:
        return ""
    spec = item.get("spec") if _kind(item) == SET_KIND else item
    gateway = spec.get("gateway") if isinstance(spec, Mapping) else None
    if isinstance(gateway, Mapping) and gateway.get("enabled") is False:
        return "no GatewayReady: gateway.enabled is false"
    return "no GatewayReady: the controller runs without the feature gate gatewayAPIInferenceExtension; only the model server is created"


def _kind(item: Json) -> str:
    return SET_KIND if item.get("kind") == SET_KIND else KIND


def print_url(console: Console, item: Json) -> None:
    """Print each URL on one line, whatever the width of the terminal, so that it can be copied."""
    gateway = parse_status(item.get("status")).gateway
    if gateway and gateway.url:
        console.print(shown(f"URL {gateway.url}", "cyan"), soft_wrap=True)
    if gateway and gateway.group and gateway.group.url:
        console.print(shown(f"URL of group {gateway.group.name} {gateway.group.url}", "cyan"), soft_wrap=True)


def headings(*, with_namespace: bool, wide: bool, with_kind: bool = False) -> tuple[str, ...]:
    """Return the headings of a table of Workspaces and InferenceSets."""
    namespace, kind = ("NAMESPACE",) if with_namespace else (), ("KIND",) if with_kind else ()
    return (*namespace, *kind, "NAME", "READY", "REASON", "AGE", *(("MODEL", "URL") if wide else ()))


def row_of(item: Json, now: datetime, *, with_namespace: bool, wide: bool, with_kind: bool = False) -> tuple[Cell | str, ...]:
    """Return the row of a Workspace or InferenceSet."""
    status, metadata = parse_status(item.get("status")), item["metadata"]
    ready = find(status.conditions, ConditionType.READY) or Condition("Ready", "Unknown", "NoStatus")
    if is_deleting(item):
        ready = Condition("Ready", "False", "Deleting")
    gateway = status.gateway
    url, models = (gateway.url or "", gateway.model_names) if gateway is not None else ("", ())
    style = _MARKS.get(ready.status, ("", "yellow"))[1]
    namespace = (str(metadata["namespace"]),) if with_namespace else ()
    tail = (next(iter(models), ""), url) if wide else ()
    kind = (_kind(item),) if with_kind else ()
    return (*namespace, *kind, str(metadata["name"]), Cell(ready.status, style), ready.reason, age_of(metadata, now), *tail)


def age_of(metadata: Json, now: datetime) -> str:
    """Return the age of an object as kubectl prints it."""
    try:
        created = datetime.fromisoformat(metadata["creationTimestamp"])
        return age((now - created).total_seconds())
    except (KeyError, TypeError, ValueError):
        return "<unknown>"


def _rows(conditions: Sequence[Condition]) -> list[Text]:
    width = max((len(condition.type) for condition in conditions), default=0)
    return [_row(condition, width) for condition in conditions]


def _row(condition: Condition, width: int) -> Text:
    mark, style = _MARKS.get(condition.status, ("?", "yellow"))
    words = condition.message if condition.is_true else f"{condition.reason}: {condition.message}"
    return Text.assemble(
        Text(mark, style=style), f" {condition.type.ljust(width)} ", shown(words, "" if condition.is_true else style)
    )
