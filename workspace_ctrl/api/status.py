"""The status of a Workspace or InferenceSet, written by the controller and part of the CRD.

Plain dataclasses, because a status is created in every pass and parsed from every event; the CRD's schema is generated from their
annotations.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.conditions import CANARY_NOT_READY, Condition, ConditionType, find, parse_conditions
from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.traffic.group_status import CanaryStatus, GroupMemberStatus, GroupStatus

PartT = TypeVar("PartT")

NOT_OBSERVED: Final = -1
"""`observedGeneration` in the default that the CRD gives a status, as the CRDs of Flux do.

kstatus takes an object without a status for ready, and one whose `observedGeneration` is not its generation for in progress.
"""
_OUR_TYPES = frozenset(ConditionType)
_IN_CAMEL_CASE: Final = ConfigDict(alias_generator=to_camel)
_CONDITION_LIST: dict[str, Any] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """The model server."""

    __pydantic_config__ = _IN_CAMEL_CASE

    kind: Annotated[
        str | None,
        Field(description="Deployment, StatefulSet, or the kind of the referenced object."),
    ] = None
    name: Annotated[str | None, Field(description="Name of the Deployment, StatefulSet or referenced object.")] = None
    replicas: Annotated[int | None, Field(description="Number of wanted pods.")] = None
    ready_replicas: Annotated[int | None, Field(description="Number of ready pods.")] = None
    sizing: Annotated[str | None, Field(description="How the model was sized for the nodes, with the arithmetic.")] = None


@dataclass(frozen=True, slots=True)
class ChartStatus:
    """The installed chart."""

    __pydantic_config__ = _IN_CAMEL_CASE

    version: Annotated[str | None, Field(description="Version of the fetched chart.")] = None
    digest: Annotated[str | None, Field(description="Digest of the fetched chart in its registry.")] = None


@dataclass(frozen=True, slots=True)
class ProbeStatus:
    """Result of probe requests through the Gateway."""

    __pydantic_config__ = _IN_CAMEL_CASE

    outcome: Annotated[
        str | None,
        Field(description="Answered, Failed, or NotPossible if the controller cannot reach the Gateway or is not authorized."),
    ] = None
    url: Annotated[str | None, Field(description="URL of the request.")] = None
    code: Annotated[int | None, Field(description="HTTP status code of the response.")] = None
    message: Annotated[str | None, Field(description="Description of the response, or why there was none.")] = None
    since: Annotated[
        str | None, Field(json_schema_extra={"format": "date-time"}, description="Time since which probes have this result.")
    ] = None


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """How the model is reached, and the objects involved."""

    __pydantic_config__ = _IN_CAMEL_CASE

    url: Annotated[str | None, Field(description="Base URL of the model; append /v1/chat/completions.")] = None
    urls: Annotated[
        tuple[str, ...], Field(description="All base URLs of the model, for each Gateway, listener and host name.")
    ] = ()
    internal_url: Annotated[
        str | None, Field(description="Base URL for clients inside the cluster, through the Service of the Gateway.")
    ] = None
    model_names: Annotated[tuple[str, ...], Field(description="Model names for the model field of requests.")] = ()
    gateways: Annotated[tuple[str, ...], Field(description="Gateways that the route is attached to, as namespace/name.")] = ()
    route: Annotated[str | None, Field(description="Name of the HTTPRoute of the model.")] = None
    pool: Annotated[str | None, Field(description="Name of the InferencePool of the route.")] = None
    companion: Annotated[
        str | None,
        Field(description="Additional object that the GatewayClass needs, as Kind/name, such as the ModelServer of kthena."),
    ] = None
    endpoint_picker: Annotated[str | None, Field(description="Name of the endpoint picker's Deployment.")] = None
    objectives: Annotated[
        tuple[str, ...],
        Field(description="InferenceObjectives that requests can select with the header x-gateway-inference-objective."),
    ] = ()
    group: Annotated[GroupStatus | None, Field(description="The endpoint that the model shares with others.")] = None
    chart: Annotated[ChartStatus | None, Field(description="The chart that installs pool and endpoint picker.")] = None
    body_based_routing: Annotated[
        bool | None,
        Field(
            description="Whether the model name in the request body is enough to reach the model; probed if gateway.match.header is set."
        ),
    ] = None
    last_probe: Annotated[ProbeStatus | None, Field(description="Result of probe requests through the Gateway.")] = None


@dataclass(frozen=True, slots=True)
class PodsStatus:
    """What the pods of model server and endpoint picker were made from: an upgrade of the controller alone does not replace them."""

    __pydantic_config__ = _IN_CAMEL_CASE

    version: Annotated[str | None, Field(description="Version of the controller; none if it did not say so, before 0.2.0.")] = None
    inputs: Annotated[str | None, Field(description="Hash of what spec and settings say about the pods.")] = None
    provider: Annotated[str | None, Field(description="The chart's name of the Gateway's implementation.")] = None


class KaitoState(StrEnum):
    """KAITO's summary of a Workspace with inference."""

    PENDING = "Pending"
    READY = "Ready"
    NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class WorkspaceStatus:
    """What the controller observed."""

    __pydantic_config__ = _IN_CAMEL_CASE

    observed_generation: Annotated[
        int | None,
        Field(
            description=f"Generation of the Workspace that the status is for; {NOT_OBSERVED} before the first status is written."
        ),
    ] = None
    state: Annotated[
        str | None,
        Field(
            json_schema_extra={"enum": [*map(str, KaitoState), "Running", "Succeeded", "Failed"]},
            description="KAITO's summary: Ready like the condition WorkspaceSucceeded; NotReady if it was Ready before, else Pending.",
        ),
    ] = None
    target_node_count: Annotated[int | None, Field(description="Number of nodes that the model needs.")] = None
    worker_nodes: Annotated[tuple[str, ...], Field(description="Names of the nodes of the model server's pods.")] = ()
    workload: Annotated[WorkloadStatus | None, Field(description="The model server.")] = None
    gateway: Annotated[GatewayStatus | None, Field(description="How the model is reached, and the objects involved.")] = None
    pods: Annotated[
        PodsStatus | None,
        Field(description="What the pods were made from; an upgrade of the controller alone does not change them."),
    ] = None
    conditions: Annotated[
        tuple[Condition, ...], Field(description="The state of each requirement, and summaries.", json_schema_extra=_CONDITION_LIST)
    ] = ()

    @property
    def is_budgeted(self) -> bool:
        """Whether a PodDisruptionBudget was wanted, as far as is known."""
        return find(self.conditions, ConditionType.DISRUPTION_BUDGET_READY) is not None

    @property
    def is_scaled(self) -> bool:
        """Whether a ScaledObject was created, as far as is known."""
        return False

    @property
    def canary_step(self) -> tuple[object, ...]:
        """What identifies the step of a canary; empty for others."""
        canary = self._canary
        return (canary.revision, canary.phase, canary.step) if canary is not None else ()

    @property
    def canary_share(self) -> tuple[object, ...]:
        """What the share of a canary in the requests of its group depends on; empty for others."""
        canary = self._canary
        return (*self.canary_step, canary.reason == CANARY_NOT_READY, canary.promotion) if canary is not None else ()

    @property
    def _canary(self) -> CanaryStatus | None:
        group = self.gateway.group if self.gateway is not None else None
        return group.canary if group is not None else None

    def as_object(self) -> dict[str, Any]:
        """Return the status as JSON, without unknown fields."""
        document: dict[str, Any] = _plain(self)
        return document

    def without(self, parts: frozenset[str], words: str) -> "WorkspaceStatus":
        """Return this status without `parts`, which the API server rejects with `words`; the message of Ready says so."""
        remark = printable(f"the API server rejects {', '.join(sorted(parts))} of the status, left out: {words}", _LONGEST_REMARK)
        conditions = (
            replace(entry, message=printable(f"{entry.message}; {remark}")) if entry.type == ConditionType.READY else entry
            for entry in self.conditions
        )
        left_out = {name: _WITHOUT[name] for name, alias in _ALIASES[WorkspaceStatus] if alias in parts}
        return replace(self, conditions=tuple(conditions), **left_out)

    def without_empty_parts(self) -> "WorkspaceStatus":
        """Return the status as it will be read again: a part that says nothing is not written."""
        gateway = self.gateway
        if gateway is not None and gateway.chart == ChartStatus():
            gateway = replace(gateway, chart=None)
        return replace(
            self,
            workload=None if self.workload == WorkloadStatus() else self.workload,
            gateway=None if gateway == GatewayStatus() else gateway,
        )


@dataclass(frozen=True, slots=True)
class AutoscalingStatus:
    """How an InferenceSet is scaled by load."""

    __pydantic_config__ = _IN_CAMEL_CASE

    scaled_object: Annotated[str | None, Field(description="Name of KEDA's ScaledObject.")] = None
    min_replicas: Annotated[int | None, Field(description="Fewest copies; 1 where requests to none would be lost.")] = None
    max_replicas: Annotated[int | None, Field(description="Most copies.")] = None
    cold_start_seconds: Annotated[
        int | None, Field(description="How long the last start of the first copy took, from the scaling to the ready pod.")
    ] = None
    cold_start_time: Annotated[
        str | None, Field(json_schema_extra={"format": "date-time"}, description="When that copy became ready.")
    ] = None


@dataclass(frozen=True, slots=True)
class InferenceSetStatus(WorkspaceStatus):
    """What the controller observed of an InferenceSet."""

    __pydantic_config__ = _IN_CAMEL_CASE

    replicas: Annotated[int | None, Field(description="Number of copies that exist.")] = None
    ready_replicas: Annotated[int | None, Field(description="Number of copies that are ready.")] = None
    ready: Annotated[str | None, Field(description="Ready and wanted copies, such as 2/3.")] = None
    selector: Annotated[str | None, Field(description="Selects the pods of the copies that serve requests, for autoscalers.")] = (
        None
    )
    autoscaling: Annotated[AutoscalingStatus | None, Field(description="How it is scaled by load.")] = None

    @property
    def is_scaled(self) -> bool:
        """Whether a ScaledObject was created, as far as is known."""
        return self.autoscaling is not None


_PART_OF_STATUS: Final = re.compile(r"\bstatus\.([A-Za-z]+)")
_WITHOUT: Final[Mapping[str, Any]] = {
    "state": None,
    "target_node_count": None,
    "worker_nodes": (),
    "workload": None,
    "gateway": None,
    "pods": None,
}
"""What a status without one of its parts has in its place; conditions are never left out."""
_DISPENSABLE: Final = frozenset(map(to_camel, _WITHOUT))
_LONGEST_REMARK: Final = 500


def rejected_parts(words: str) -> tuple[frozenset[str], ...]:
    """Return what to leave out of a status that the API server rejected with `words`: the parts that they name, else all."""
    named = _DISPENSABLE.intersection(_PART_OF_STATUS.findall(words))
    return (named, _DISPENSABLE) if named and named != _DISPENSABLE else (_DISPENSABLE,)


def parse_status(raw: object, kind: str = KIND) -> WorkspaceStatus:
    """Return the status in `raw` of a Workspace or InferenceSet.

    Conditions of others are left out, and so are unreadable parts, which will be written again.
    """
    is_set = kind == SET_KIND
    if not isinstance(raw, Mapping):
        return InferenceSetStatus() if is_set else WorkspaceStatus()
    gateway = raw.get("gateway")
    common: dict[str, Any] = {
        "observed_generation": _observed(raw.get("observedGeneration")),
        "state": _text(raw.get("state")),
        "target_node_count": _number(raw.get("targetNodeCount")),
        "worker_nodes": _texts(raw.get("workerNodes")),
        "workload": _part(WorkloadStatus, raw.get("workload")),
        "gateway": _gateway(gateway) if isinstance(gateway, Mapping) else None,
        "pods": _part(PodsStatus, raw.get("pods")),
        "conditions": tuple(entry for entry in parse_conditions(raw.get("conditions")) if entry.type in _OUR_TYPES),
    }
    return InferenceSetStatus(**common, **_numbers_of_copies(raw)) if is_set else WorkspaceStatus(**common)


def _numbers_of_copies(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "replicas": _number(raw.get("replicas")),
        "ready_replicas": _number(raw.get("readyReplicas")),
        "ready": _text(raw.get("ready")),
        "selector": _text(raw.get("selector")),
        "autoscaling": _part(AutoscalingStatus, raw.get("autoscaling")),
    }


def _gateway(raw: Mapping[str, Any]) -> GatewayStatus:
    return GatewayStatus(
        url=_text(raw.get("url")),
        urls=_texts(raw.get("urls")),
        internal_url=_text(raw.get("internalUrl")),
        model_names=_texts(raw.get("modelNames")),
        gateways=_texts(raw.get("gateways")),
        route=_text(raw.get("route")),
        pool=_text(raw.get("pool")),
        companion=_text(raw.get("companion")),
        endpoint_picker=_text(raw.get("endpointPicker")),
        objectives=_texts(raw.get("objectives")),
        group=_group(raw.get("group")),
        chart=_part(ChartStatus, raw.get("chart")),
        body_based_routing=flag if isinstance(flag := raw.get("bodyBasedRouting"), bool) else None,
        last_probe=_part(ProbeStatus, raw.get("lastProbe")),
    )


def _group(raw: object) -> GroupStatus | None:
    if not isinstance(raw, Mapping):
        return None
    listed = raw.get("members")
    members = (_part(GroupMemberStatus, entry) for entry in listed) if isinstance(listed, list) else ()
    return GroupStatus(
        _text(raw.get("name")),
        _text(raw.get("url")),
        tuple(entry for entry in members if entry is not None),
        _part(CanaryStatus, raw.get("canary")),
    )


def _part(type_: type[PartT], raw: object) -> PartT | None:
    """Return a part of the status whose fields are all plain values."""
    if not isinstance(raw, Mapping):
        return None
    return type_(**{name: _scalar(raw.get(alias)) for name, alias in _ALIASES[type_]})


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(entry for entry in raw if isinstance(entry, str)) if isinstance(raw, list) else ()


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _observed(raw: object) -> int | None:
    """Return the generation that a status is for; None for `NOT_OBSERVED`, which is as good as no status."""
    number = _number(raw)
    return None if number == NOT_OBSERVED else number


def _number(raw: object) -> int | None:
    return raw if isinstance(raw, int) else None


def _scalar(raw: object) -> str | int | None:
    return raw if isinstance(raw, str | int) else None


_ALIASES: Final[Mapping[type[Any], tuple[tuple[str, str], ...]]] = {
    type_: tuple((entry.name, to_camel(entry.name)) for entry in fields(type_))
    for type_ in (
        WorkloadStatus,
        ChartStatus,
        ProbeStatus,
        CanaryStatus,
        GroupMemberStatus,
        GroupStatus,
        GatewayStatus,
        PodsStatus,
        AutoscalingStatus,
        WorkspaceStatus,
        InferenceSetStatus,
    )
}
"""Part of the status → its fields: name here, name in the object."""


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str | int):
        return value
    if isinstance(value, Condition):
        return value.as_object()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    named = ((alias, getattr(value, name)) for name, alias in _ALIASES[type(value)])
    found = {alias: _plain(item) for alias, item in named if item not in (None, ())}
    # An empty object in an apply becomes null, which the schema does not allow: the API server would reject the whole status.
    return {alias: item for alias, item in found.items() if item != {}}
