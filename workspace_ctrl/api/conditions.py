"""Conditions: their types, and how a new list follows from the old one.

Rules of the Kubernetes API conventions: one condition per type; `lastTransitionTime` moves only when the status value does; every
condition has the `observedGeneration` it is for. `Reconciling` and `Stalled` follow kstatus: they are absent unless true.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.printable_text import printable

CANARY_BEGUN: Final = "CanaryInProgress"
"""Reason of a canary that has its share of the requests."""
CANARY_NOT_READY: Final = "CanaryNotReady"
"""Reason of a canary that gets no requests: no pod is ready, or some may be of another version."""


class ConditionType(StrEnum):
    """The condition types that we write, in the order in which they are shown."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    WARNING = "Warning"
    WORKSPACE_SUCCEEDED = "WorkspaceSucceeded"
    WORKLOAD_ACCEPTED = "WorkloadAccepted"
    RESOURCE_READY = "ResourceReady"
    NODES_READY = "NodesReady"
    INFERENCE_READY = "InferenceReady"
    CHART_READY = "ChartReady"
    ENDPOINT_PICKER_READY = "EndpointPickerReady"
    ROUTE_READY = "RouteReady"
    ENDPOINTS_READY = "EndpointsReady"
    BODY_ROUTING_READY = "BodyRoutingReady"
    OBJECTIVES_READY = "ObjectivesReady"
    AUTOSCALING = "Autoscaling"
    DISRUPTION_BUDGET_READY = "DisruptionBudgetReady"
    GROUP_READY = "GroupReady"
    CANARY_PROGRESSING = "CanaryProgressing"
    GATEWAY_READY = "GatewayReady"


MEANINGS: Final[Mapping[ConditionType, str]] = {
    ConditionType.READY: "The model is served and, if a Gateway is wanted, reachable through it. Flux and Helm wait for it, "
    "Argo CD with health checks for these kinds.",
    ConditionType.RECONCILING: "Present only while True: the controller is working towards Ready; no action needed.",
    ConditionType.STALLED: "Present only while True: Ready needs a change by a user.",
    ConditionType.WARNING: "Present only while True: something in the Workspace is ignored, or something was assumed. The same "
    "warnings as at admission.",
    ConditionType.WORKSPACE_SUCCEEDED: "KAITO's summary, same as Ready; its reason is InvalidSpec if the Workspace is rejected.",
    ConditionType.WORKLOAD_ACCEPTED: "The API server accepted the workload in a dry-run, or the referenced workload was found.",
    ConditionType.RESOURCE_READY: "The pods of the model server are scheduled to nodes.",
    ConditionType.NODES_READY: "KAITO's condition for the nodes, same as ResourceReady.",
    ConditionType.INFERENCE_READY: "At least one replica of the model server is ready, and all are of the newest spec; of a model on "
    "several nodes, all its pods.",
    ConditionType.CHART_READY: "Flux fetched the chart and installed it with the newest values.",
    ConditionType.ENDPOINT_PICKER_READY: "A replica of the endpoint picker is ready; of several, the leader.",
    ConditionType.ROUTE_READY: "The Gateway is programmed, and its controller has accepted HTTPRoute and InferencePool.",
    ConditionType.ENDPOINTS_READY: "At least one ready pod matches the selector of the InferencePool.",
    ConditionType.BODY_ROUTING_READY: "Requests are routed by the model name in their body. Present if gateway.match.header is set and "
    "the installation manages body-based routers; no part of GatewayReady.",
    ConditionType.OBJECTIVES_READY: "The InferenceObjectives of gateway.objectives exist. Present if the Workspace has any; no part of "
    "GatewayReady.",
    ConditionType.AUTOSCALING: "KEDA scales the InferenceSet by its load. Present with spec.autoscaling; no part of Ready.",
    ConditionType.DISRUPTION_BUDGET_READY: "A PodDisruptionBudget limits how many copies are evicted at a time. Present with several "
    "copies; no part of Ready.",
    ConditionType.GROUP_READY: "The route of gateway.group is accepted, and a member of the group is ready. Present if "
    "gateway.group is set; no part of GatewayReady.",
    ConditionType.CANARY_PROGRESSING: "The canary gets its share of the requests, or all of them; False if it was stopped. Present if "
    "gateway.group.canary is set; no part of GatewayReady.",
    ConditionType.GATEWAY_READY: "All requirements of an answered request are met; else the reason of the first unmet one.",
}
"""The meaning of each condition type when it is True."""


class Status(StrEnum):
    """The value of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


UNSPECIFIED: Final = "Unspecified"
"""Reason for conditions without one; the API conventions require one."""
_REASON: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]{0,1022}[A-Za-z0-9_])?")
"""As in the API conventions; a reason that does not match is replaced."""
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
"""The format that we write; a timestamp in any other is replaced."""
_MOST_CONDITIONS: Final = 256
"""Per object; further ones are ignored."""
_WORD_LIMIT: Final = 316
"""Longest type, status or reason of other controllers, in characters; the schema of conditions allows as many for a type."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a `status.conditions` list, ours or another controller's."""

    __pydantic_config__ = ConfigDict(
        alias_generator=to_camel, json_schema_extra={"required": ["type", "status", "reason", "message", "lastTransitionTime"]}
    )

    type: Annotated[str, Field(max_length=316, description="Type of the condition, such as GatewayReady.")]
    status: Annotated[
        str,
        Field(
            json_schema_extra={"enum": ["True", "False", "Unknown"]},
            description="True, False, or Unknown while it is in progress.",
        ),
    ]
    reason: Annotated[str, Field(max_length=1024, description="Machine-readable reason in CamelCase.")] = ""
    message: Annotated[str, Field(max_length=32768, description="Human-readable message.")] = ""
    observed_generation: Annotated[
        int | None, Field(ge=0, description="Generation of the Workspace that the condition is for.")
    ] = None
    last_transition_time: Annotated[
        str, Field(json_schema_extra={"format": "date-time"}, description="When the status last changed.")
    ] = ""

    @property
    def is_true(self) -> bool:
        """Whether the status is True."""
        return self.status == Status.TRUE

    def speaks_of(self, generation: int) -> bool:
        """Whether the condition was written for `generation`; one without a generation counts as current, as in other controllers."""
        return self.observed_generation is None or self.observed_generation >= generation

    def as_object(self) -> dict[str, Any]:
        """Return the condition as JSON."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason or UNSPECIFIED,
            "message": self.message,
            "observedGeneration": self.observed_generation or 0,
            "lastTransitionTime": self.last_transition_time,
        }


def parse_conditions(raw: object) -> tuple[Condition, ...]:
    """Return the conditions in `raw`, a `status.conditions` list as JSON; invalid entries are left out."""
    return tuple(map(_parse, _entries(raw)))


def parse_brief_conditions(raw: object) -> tuple[Condition, ...]:
    """Return the conditions in `raw` for decisions on objects of others: without times, and with messages only of those that are not good.

    There are some twenty of them for each Workspace, so equal strings are interned.
    """
    return tuple(map(_parse_brief, _entries(raw)))


def _entries(raw: object) -> Iterator[Mapping[str, Any]]:
    for entry in raw[:_MOST_CONDITIONS] if isinstance(raw, list) else ():
        if isinstance(entry, dict | Mapping) and isinstance(entry.get("type"), str):
            yield entry


_FAULTS: Final = frozenset({"ReplicaFailure", "Stalled", "FetchFailed"})
"""Conditions of other controllers that are True on a failure."""


def _parse(entry: Mapping[str, Any]) -> Condition:
    brief = _parse_brief(entry)
    time = _word(entry.get("lastTransitionTime"))
    return Condition(brief.type, brief.status, brief.reason, _message(entry), brief.observed_generation, time)


def _parse_brief(entry: Mapping[str, Any]) -> Condition:
    generation = entry.get("observedGeneration")
    status = _word(entry.get("status", Status.UNKNOWN))
    return Condition(
        type=_word(entry["type"]),
        status=status,
        reason=_word(entry.get("reason")),
        message="" if status == Status.TRUE and entry["type"] not in _FAULTS else _message(entry),
        observed_generation=generation if isinstance(generation, int) else None,
    )


def _word(value: object) -> str:
    """Return an interned field of a condition; empty if it is not a string."""
    if not isinstance(value, str):
        return ""
    return _short_word(value) if len(value) <= _WORD_LIMIT else intern(printable(value, _WORD_LIMIT))


@lru_cache(maxsize=1024)
def _short_word(value: str) -> str:
    """Return a field as it is kept; cached, because all conditions have the same few values."""
    return intern(printable(value, _WORD_LIMIT))


def _message(entry: Mapping[str, Any]) -> str:
    value = entry.get("message")
    return printable(value) if isinstance(value, str) else ""


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def carry_times(old: Iterable[Condition], new: Iterable[Condition], generation: int, now: datetime) -> tuple[Condition, ...]:
    """Return `new` as conditions for `generation`.

    Each `lastTransitionTime` is kept from `old` where the status did not change, and `now` elsewhere.
    """
    before = {condition.type: condition for condition in old}
    return tuple(_carried(before.get(condition.type), condition, generation, now) for condition in new)


def _carried(old: Condition | None, new: Condition, generation: int, now: datetime) -> Condition:
    """Return `new` as a condition for `generation`: `old` itself where nothing changed, which is so in most passes."""
    time = _kept_time(old, new)
    if old is not None and time and (old.reason, old.message, old.observed_generation) == (new.reason, new.message, generation):
        return old
    reason = new.reason if _REASON.fullmatch(new.reason) else UNSPECIFIED
    return Condition(new.type, new.status, reason, printable(new.message), generation, time or format_time(now))


def _kept_time(old: Condition | None, new: Condition) -> str:
    is_kept = old is not None and old.status == new.status and _TIME.fullmatch(old.last_transition_time)
    return old.last_transition_time if old is not None and is_kept else ""


def format_time(moment: datetime) -> str:
    """Return `moment` in the format of Kubernetes: UTC, RFC 3339, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
