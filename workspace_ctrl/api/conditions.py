"""Conditions: their types, and how a new list follows from the old one.

Rules of the Kubernetes API conventions: one condition per type; `lastTransitionTime` moves only when the status value does; every
condition carries the generation it speaks of. `Reconciling` and `Stalled` follow kstatus: they are absent unless true.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from sys import intern
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.text import printable


class ConditionType(StrEnum):
    """The condition types that we write, in the order in which they are shown."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    WORKSPACE_SUCCEEDED = "WorkspaceSucceeded"
    WORKLOAD_ACCEPTED = "WorkloadAccepted"
    RESOURCE_READY = "ResourceReady"
    INFERENCE_READY = "InferenceReady"
    CHART_READY = "ChartReady"
    ENDPOINT_PICKER_READY = "EndpointPickerReady"
    ROUTE_READY = "RouteReady"
    ENDPOINTS_READY = "EndpointsReady"
    BODY_ROUTING_READY = "BodyRoutingReady"
    OBJECTIVES_READY = "ObjectivesReady"
    GATEWAY_READY = "GatewayReady"


MEANINGS: Final[Mapping[ConditionType, str]] = {
    ConditionType.READY: "The model is served and, where a Gateway is wanted, reached through it; what Flux and Argo CD wait for.",
    ConditionType.RECONCILING: "There only while it is True: on the way to Ready, which needs no person.",
    ConditionType.STALLED: "There only while it is True: waiting is of no use, a person has to change something.",
    ConditionType.WORKSPACE_SUCCEEDED: "KAITO's summary, as Ready; its reason is InvalidSpec where the Workspace is refused.",
    ConditionType.WORKLOAD_ACCEPTED: "The API server accepted the workload in a dry-run, or somebody else's workload was found.",
    ConditionType.RESOURCE_READY: "Pods of the model server run on nodes.",
    ConditionType.INFERENCE_READY: "The pods of the model server are ready, as many as are wanted.",
    ConditionType.CHART_READY: "Flux fetched the chart and installed it with the newest values.",
    ConditionType.ENDPOINT_PICKER_READY: "The endpoint picker's Deployment runs, and a replica is ready: of several, the one that leads.",
    ConditionType.ROUTE_READY: "The Gateway is programmed, and its controller accepted HTTPRoute and InferencePool.",
    ConditionType.ENDPOINTS_READY: "At least one ready pod matches the selector of the InferencePool.",
    ConditionType.BODY_ROUTING_READY: "The model's name in a request's body is enough; told where gateway.match.header is set and the "
    "installation manages body-based routers, and no part of GatewayReady.",
    ConditionType.OBJECTIVES_READY: "The InferenceObjectives of gateway.objectives are there; told where there are any, and no part of "
    "GatewayReady.",
    ConditionType.GATEWAY_READY: "Every link from the Workspace to an answered request holds; else the first broken one's reason.",
}
"""What it says when a condition of the type is True."""


class Status(StrEnum):
    """The value of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


UNSPECIFIED: Final = "Unspecified"
"""Reason of a condition whose maker gave none; the API conventions demand one."""
_REASON: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]{0,1022}[A-Za-z0-9_])?")
"""Of the API conventions; others' reasons become ours."""
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
"""As we write it; any other stamp is written anew."""
_MOST_CONDITIONS: Final = 256
"""Of one object; more are not looked at."""
_WORD_LIMIT: Final = 316
"""Longest type, status or reason that is kept of others; a condition's schema allows a type of so many characters."""


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
            description="True, False, or Unknown while it is still being found out.",
        ),
    ]
    reason: Annotated[str, Field(max_length=1024, description="One word that programs can act on.")] = ""
    message: Annotated[str, Field(max_length=32768, description="One sentence for people.")] = ""
    observed_generation: Annotated[
        int | None, Field(ge=0, description="Generation of the Workspace that the condition speaks of.")
    ] = None
    last_transition_time: Annotated[
        str, Field(json_schema_extra={"format": "date-time"}, description="When the status last changed.")
    ] = ""

    @property
    def is_true(self) -> bool:
        """Whether the status is True."""
        return self.status == Status.TRUE

    def speaks_of(self, generation: int) -> bool:
        """Whether the condition was written for `generation`; one without a generation counts as current (peers' rule)."""
        return self.observed_generation is None or self.observed_generation >= generation

    def as_object(self) -> dict[str, Any]:
        """Return the condition as it stands in the object."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason or UNSPECIFIED,
            "message": self.message,
            "observedGeneration": self.observed_generation or 0,
            "lastTransitionTime": self.last_transition_time,
        }


def parse_conditions(raw: object) -> tuple[Condition, ...]:
    """Return the conditions in `raw`, a `status.conditions` list as JSON; entries that are none are left out."""
    return tuple(map(_parse, _entries(raw)))


def parse_brief_conditions(raw: object) -> tuple[Condition, ...]:
    """Return the conditions in `raw` as far as decisions read those of others: without times, and messages only of what is not well.

    There are some twenty of them for each Workspace, so words that recur are kept once.
    """
    return tuple(map(_parse_brief, _entries(raw)))


def _entries(raw: object) -> Iterator[Mapping[str, Any]]:
    for entry in raw[:_MOST_CONDITIONS] if isinstance(raw, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("type"), str):
            yield entry


_FAULTS: Final = frozenset({"ReplicaFailure", "Stalled", "FetchFailed"})
"""Conditions of others that are True when something is wrong."""


def _parse(entry: Mapping[str, Any]) -> Condition:
    return replace(
        _parse_brief(entry),
        message=_message(entry),
        last_transition_time=_word(entry.get("lastTransitionTime")),
    )


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
    """Return a word of a condition, kept once; empty where it is no text."""
    return intern(printable(value, _WORD_LIMIT)) if isinstance(value, str) else ""


def _message(entry: Mapping[str, Any]) -> str:
    value = entry.get("message")
    return printable(value) if isinstance(value, str) else ""


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def carry_times(old: Iterable[Condition], new: Iterable[Condition], generation: int, now: datetime) -> tuple[Condition, ...]:
    """Return `new` as conditions that speak of `generation`.

    Each `lastTransitionTime` is kept from `old` where the status did not change, and `now` elsewhere.
    """
    before = {condition.type: condition for condition in old}
    stamp = format_time(now)
    return tuple(
        Condition(
            condition.type,
            condition.status,
            condition.reason if _REASON.fullmatch(condition.reason) else UNSPECIFIED,
            printable(condition.message),
            generation,
            _kept_time(before.get(condition.type), condition) or stamp,
        )
        for condition in new
    )


def _kept_time(old: Condition | None, new: Condition) -> str:
    is_kept = old is not None and old.status == new.status and _TIME.fullmatch(old.last_transition_time)
    return old.last_transition_time if old is not None and is_kept else ""


def format_time(moment: datetime) -> str:
    """Return `moment` as Kubernetes writes times: UTC, RFC 3339, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
