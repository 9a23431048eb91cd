"""What the page knows of one Workspace, InferenceSet or Gateway: a line of its list. Pure.

Only this is kept of an object, so that thousands of them need little memory; the rest is read when the object is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status, find
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import InferenceSetStatus, KaitoState, WorkspaceStatus, parse_status
from workspace_ctrl.cache.watches import GATEWAY
from workspace_ctrl.cli.page.gateway_chain import first_broken, gateway_links, read_gateway
from workspace_ctrl.cli.status_view import CHAIN, deletion, is_deleting, is_ready
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.readiness.event_policy import has_failed
from workspace_ctrl.records.companion_status import with_our_status
from workspace_ctrl.records.meta import UNREADABLE
from workspace_ctrl.records.unreadable_objects import read_object

LONGEST_MESSAGE: Final = 500
"""Characters of a message in the list, and in the history."""
_MOST_GATEWAYS: Final = 8
_MOST_CONDITIONS: Final = 32
_LETTERS: Final[Mapping[str, str]] = {Status.TRUE: "T", Status.FALSE: "F", Status.UNKNOWN: "U"}
_ABSENT: Final = "-"
NO_STATUS: Final = "no controller has written a status: is it running, and does its scope include this object?"
OLDER_STATUS: Final = "the status is for an older generation: is the controller running?"


class ObjectState(StrEnum):
    """How an object is, in one word."""

    READY = "ready"
    PROGRESSING = "progressing"
    """Not ready, and nothing has failed."""
    FAILED = "failed"
    """A link is broken, or it was ready before."""
    UNKNOWN = "unknown"
    """No status, or one for an older generation."""
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class PageObject:
    """One object."""

    kind: str
    namespace: str
    name: str
    state: ObjectState
    reason: str = ""
    """Of the first broken link; empty if the status has none."""
    message: str = ""
    links: str = ""
    """A letter for each link of the chain of its kind: T (holds), F (broken), U (in progress), or - where there is none."""
    created: str = ""
    model: str = ""
    url: str = ""
    replicas: str = ""
    """Ready and wanted replicas, such as 2/3; empty if that is not known."""
    gateways: tuple[str, ...] = ()
    """Gateways of the route, as namespace/name; of a Gateway, its addresses."""
    group: str = ""
    """The group whose endpoint it shares."""
    conditions: tuple[Condition, ...] = ()
    """With short messages; only for the history."""

    @property
    def id(self) -> str:
        """The object as Kind/namespace/name."""
        return f"{self.kind}/{self.namespace}/{self.name}"

    def row(self) -> dict[str, Any]:
        """Return what the browser gets, as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "state": self.state.value,
            "reason": self.reason,
            "message": self.message,
            "links": self.links,
            "created": self.created,
            "model": self.model,
            "url": self.url,
            "replicas": self.replicas,
            "gateways": list(self.gateways),
            "group": self.group,
        }


def parse_page_object(raw: Json, kind: str) -> PageObject:
    """Return what the page knows of an object of one of its kinds; of one that cannot be read, its name and why.

    `kind` is a parameter, because list entries do not contain it.
    """
    return read_object(_parse_gateway if kind == GATEWAY.kind else _parse_workspace, raw, kind)


def _parse_workspace(raw: Json, kind: str) -> PageObject:
    metadata = {**raw["metadata"], "generation": _generation(raw)}
    item = with_our_status({**raw, "kind": kind, "metadata": metadata})
    status = parse_status(item.get("status"), kind)
    state, ready = _state(item, status)
    gateway = status.gateway
    found = _identity(raw, kind, state)
    return replace(
        found,
        reason=ready.reason,
        message=printable(ready.message, LONGEST_MESSAGE),
        links="".join(_letter(find(status.conditions, type_)) for type_ in CHAIN),
        model=printable(next(iter(gateway.model_names), ""), LONGEST_MESSAGE) if gateway is not None else "",
        url=printable(gateway.url or "", LONGEST_MESSAGE) if gateway is not None else "",
        replicas=_replicas(status),
        gateways=gateway.gateways[:_MOST_GATEWAYS] if gateway is not None else (),
        group=printable(gateway.group.name or "", LONGEST_MESSAGE) if gateway is not None and gateway.group is not None else "",
        conditions=_short(status.conditions),
    )


def _parse_gateway(raw: Json, kind: str) -> PageObject:
    gateway = read_gateway(raw, kind)
    links = gateway_links(gateway)
    broken = first_broken(links)
    state = ObjectState.READY
    if is_deleting(raw):
        state = ObjectState.DELETING
    elif broken is not None:
        state = ObjectState.FAILED if broken.status is Status.FALSE else ObjectState.UNKNOWN
    return replace(
        _identity(raw, kind, state),
        reason=broken.reason if broken is not None else "",
        message=printable(broken.message if broken is not None else "", LONGEST_MESSAGE),
        links="".join(_LETTERS[link.status] for link in links),
        model=printable(gateway.class_name, LONGEST_MESSAGE),
        gateways=gateway.addresses[:_MOST_GATEWAYS],
        conditions=_short(gateway.conditions),
    )


def _identity(raw: Json, kind: str, state: ObjectState) -> PageObject:
    metadata = raw["metadata"]
    created = metadata.get("creationTimestamp")
    namespace, name = str(metadata.get("namespace") or ""), str(metadata["name"])
    return PageObject(kind, namespace, name, state, created=created if isinstance(created, str) else "")


def _state(item: Json, status: WorkspaceStatus) -> tuple[ObjectState, Condition]:
    """Return how a Workspace is, and the condition that says why."""
    ready = find(status.conditions, ConditionType.READY)
    if is_deleting(item):
        return ObjectState.DELETING, Condition("Ready", "False", "Deleting", deletion(item, status.conditions))
    if unreadable := item["metadata"].get(UNREADABLE):
        return ObjectState.UNKNOWN, Condition("Ready", "Unknown", "", f"it cannot be read: {unreadable}")
    if ready is None:
        return ObjectState.UNKNOWN, Condition("Ready", "Unknown", "", NO_STATUS)
    if (status.observed_generation or 0) < item["metadata"]["generation"]:
        return ObjectState.UNKNOWN, replace(ready, reason="", message=OLDER_STATUS)
    if ready.is_true and is_ready(item):
        return ObjectState.READY, ready
    was_ready = status.state == KaitoState.NOT_READY
    return ObjectState.FAILED if was_ready or has_failed(ready, status) else ObjectState.PROGRESSING, ready


def _generation(raw: Json) -> int:
    generation = raw["metadata"].get("generation")
    return generation if isinstance(generation, int) else 0


def _letter(condition: Condition | None) -> str:
    return _ABSENT if condition is None else _LETTERS.get(condition.status, "U")


def _replicas(status: WorkspaceStatus) -> str:
    if isinstance(status, InferenceSetStatus):
        return printable(status.ready or "", LONGEST_MESSAGE)
    workload = status.workload
    if workload is None or workload.replicas is None:
        return ""
    return f"{workload.ready_replicas or 0}/{workload.replicas}"


def _short(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(
        replace(condition, message=printable(condition.message, LONGEST_MESSAGE)) for condition in conditions[:_MOST_CONDITIONS]
    )
