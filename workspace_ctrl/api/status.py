"""The status of a Workspace: what the controller writes, and part of the CRD.

Plain dataclasses, because a status is made in every pass and read from every event; the CRD's schema is generated from their annotations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.conditions import Condition, ConditionType, parse_conditions

PartT = TypeVar("PartT")

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
        Field(description="Deployment or StatefulSet, as the API server classified it in a dry-run; or somebody else's kind."),
    ] = None
    name: Annotated[str | None, Field(description="Name of the Deployment, StatefulSet or referenced object.")] = None
    replicas: Annotated[int | None, Field(description="Number of pods that are wanted.")] = None
    ready_replicas: Annotated[int | None, Field(description="Number of pods that are ready.")] = None
    sizing: Annotated[str | None, Field(description="How the model was sized for the nodes, with the arithmetic.")] = None


@dataclass(frozen=True, slots=True)
class ChartStatus:
    """The installed chart."""

    __pydantic_config__ = _IN_CAMEL_CASE

    version: Annotated[str | None, Field(description="Version of the chart that Flux fetched.")] = None
    digest: Annotated[str | None, Field(description="Digest of the fetched chart in its registry.")] = None


@dataclass(frozen=True, slots=True)
class ProbeStatus:
    """What came of requests through the Gateway."""

    __pydantic_config__ = _IN_CAMEL_CASE

    outcome: Annotated[
        str | None,
        Field(
            description="Answered, Failed, or NotPossible where the controller cannot reach the Gateway or has to show who it is."
        ),
    ] = None
    url: Annotated[str | None, Field(description="What was asked.")] = None
    code: Annotated[int | None, Field(description="HTTP status of the answer.")] = None
    message: Annotated[str | None, Field(description="The answer in words, or why there was none.")] = None
    since: Annotated[
        str | None, Field(json_schema_extra={"format": "date-time"}, description="Since when requests come out like this.")
    ] = None


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """How the model is reached, and by which objects."""

    __pydantic_config__ = _IN_CAMEL_CASE

    url: Annotated[str | None, Field(description="Address of the model; /v1/chat/completions follows it.")] = None
    urls: Annotated[tuple[str, ...], Field(description="All addresses of the model: of each Gateway, listener and host name.")] = ()
    internal_url: Annotated[
        str | None, Field(description="Address of the model for clients inside the cluster, by the Gateway's own Service.")
    ] = None
    model_names: Annotated[tuple[str, ...], Field(description="Names to put into a request's model field.")] = ()
    gateways: Annotated[tuple[str, ...], Field(description="Gateways that the route is attached to, as namespace/name.")] = ()
    route: Annotated[str | None, Field(description="Name of the HTTPRoute that leads to the model.")] = None
    pool: Annotated[str | None, Field(description="Name of the InferencePool that the route leads to.")] = None
    companion: Annotated[
        str | None,
        Field(description="Object that the Gateway's class needs beside the pool, as Kind/name, such as kthena's ModelServer."),
    ] = None
    endpoint_picker: Annotated[str | None, Field(description="Name of the endpoint picker's Deployment.")] = None
    objectives: Annotated[
        tuple[str, ...], Field(description="InferenceObjectives that requests can name in x-gateway-inference-objective.")
    ] = ()
    chart: Annotated[ChartStatus | None, Field(description="The chart that installs pool and endpoint picker.")] = None
    body_based_routing: Annotated[
        bool | None,
        Field(
            description="Whether the model's name in a request's body is enough to reach it; tried where gateway.match.header is set."
        ),
    ] = None
    last_probe: Annotated[ProbeStatus | None, Field(description="What came of requests through the Gateway.")] = None


@dataclass(frozen=True, slots=True)
class WorkspaceStatus:
    """What the controller observed."""

    __pydantic_config__ = _IN_CAMEL_CASE

    observed_generation: Annotated[int | None, Field(description="Generation of the Workspace that the status speaks of.")] = None
    target_node_count: Annotated[int | None, Field(description="Number of nodes that the model needs.")] = None
    worker_nodes: Annotated[tuple[str, ...], Field(description="Names of the nodes that run pods of the model server.")] = ()
    workload: Annotated[WorkloadStatus | None, Field(description="The model server, or what somebody else deploys.")] = None
    gateway: Annotated[GatewayStatus | None, Field(description="How the model is reached, and by which objects.")] = None
    conditions: Annotated[
        tuple[Condition, ...], Field(description="The links of the chain and their summaries.", json_schema_extra=_CONDITION_LIST)
    ] = ()

    def as_object(self) -> dict[str, Any]:
        """Return the status as it stands in the object; what is not known is left out."""
        document: dict[str, Any] = _plain(self)
        return document


def parse_status(raw: object) -> WorkspaceStatus:
    """Return the status in `raw`, without the conditions of others; what is unreadable is left out, and will be written anew."""
    if not isinstance(raw, Mapping):
        return WorkspaceStatus()
    gateway = raw.get("gateway")
    return WorkspaceStatus(
        observed_generation=_number(raw.get("observedGeneration")),
        target_node_count=_number(raw.get("targetNodeCount")),
        worker_nodes=_texts(raw.get("workerNodes")),
        workload=_part(WorkloadStatus, raw.get("workload")),
        gateway=_gateway(gateway) if isinstance(gateway, Mapping) else None,
        conditions=tuple(entry for entry in parse_conditions(raw.get("conditions")) if entry.type in _OUR_TYPES),
    )


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
        chart=_part(ChartStatus, raw.get("chart")),
        body_based_routing=flag if isinstance(flag := raw.get("bodyBasedRouting"), bool) else None,
        last_probe=_part(ProbeStatus, raw.get("lastProbe")),
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


def _number(raw: object) -> int | None:
    return raw if isinstance(raw, int) else None


def _scalar(raw: object) -> str | int | None:
    return raw if isinstance(raw, str | int) else None


_ALIASES: Final[Mapping[type[Any], tuple[tuple[str, str], ...]]] = {
    type_: tuple((entry.name, to_camel(entry.name)) for entry in fields(type_))
    for type_ in (WorkloadStatus, ChartStatus, ProbeStatus, GatewayStatus, WorkspaceStatus)
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
    return {alias: _plain(item) for alias, item in named if item not in (None, ())}
