"""Gateway, GatewayClass, HTTPRoute and InferencePool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern

from workspace_ctrl.api.conditions import Condition, find, parse_brief_conditions
from workspace_ctrl.api.labels import GATEWAY_LABELS, GATEWAY_NAME_LABEL
from workspace_ctrl.records.meta import (
    Conditioned,
    Json,
    Meta,
    ObjectRef,
    conditions_of,
    parse_meta,
    spec_of,
    status_of,
)
from workspace_ctrl.records.parts import shape_of
from workspace_ctrl.records.workloads import Workload, parse_workload


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener of a Gateway."""

    name: str
    protocol: str
    port: int
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Gateway(Conditioned):
    """A Gateway; its count of attached routes is left out on purpose: it moves with every other Workspace."""

    class_name: str = ""
    preferred: bool = False
    """Whether it carries the label that marks it as the one for inference."""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The Gateway as namespace/name."""
        return f"{self.ref.namespace}/{self.ref.name}"


def parse_gateway(raw: Json, kind: str) -> Gateway:
    """Return the record of a Gateway."""
    labels = raw.get("metadata", {}).get("labels") or {}
    spec = spec_of(raw)
    return Gateway(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        class_name=spec.get("gatewayClassName") or "",
        preferred=any(labels.get(label) == "true" for label in GATEWAY_LABELS),
        listeners=tuple(_parse_listener(entry) for entry in spec.get("listeners") or ()),
        addresses=tuple(entry["value"] for entry in status_of(raw).get("addresses") or () if entry.get("value")),
    )


def _parse_listener(entry: Json) -> Listener:
    return Listener(
        name=entry.get("name") or "",
        protocol=entry.get("protocol") or "",
        port=entry.get("port") or 0,
        hostname=entry.get("hostname") or "",
    )


@dataclass(frozen=True, slots=True)
class GatewayProxy:
    """A Deployment that a Gateway's controller made for it, named by the Gateway API's well-known label (GEP-1762)."""

    workload: Workload
    gateway: str
    """Name of the Gateway, which is in the same namespace."""

    @property
    def meta(self) -> Meta:
        """Metadata of the Deployment."""
        return self.workload.meta

    def serves(self, gateway: ObjectRef) -> bool:
        """Whether this is the data plane of `gateway`."""
        return (self.meta.ref.namespace, self.gateway) == (gateway.namespace, gateway.name)


def parse_gateway_proxy(raw: Json, kind: str) -> GatewayProxy:
    """Return the record of a Gateway's Deployment."""
    labels = raw.get("metadata", {}).get("labels") or {}
    return GatewayProxy(workload=parse_workload(raw, kind), gateway=labels.get(GATEWAY_NAME_LABEL, ""))


@dataclass(frozen=True, slots=True)
class GatewayClass:
    """A GatewayClass."""

    meta: Meta
    controller: str = ""


def parse_gateway_class(raw: Json, kind: str) -> GatewayClass:
    """Return the record of a GatewayClass."""
    return GatewayClass(meta=parse_meta(raw, kind), controller=spec_of(raw).get("controllerName") or "")


@dataclass(frozen=True, slots=True)
class ParentStatus:
    """What one controller says of an object's attachment to one parent."""

    parent: ObjectRef
    section: str = ""
    controller: str = ""
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return find(self.conditions, type_)


def _parse_parents(raw: Json, namespace: str) -> tuple[ParentStatus, ...]:
    return tuple(_parse_parent(entry, namespace) for entry in status_of(raw).get("parents") or ())


def _parse_parent(entry: Json, namespace: str) -> ParentStatus:
    reference = entry.get("parentRef") or {}
    return ParentStatus(
        parent=ObjectRef(
            intern(reference.get("kind") or "Gateway"),
            intern(reference.get("namespace") or namespace),
            intern(reference.get("name") or ""),
        ),
        section=intern(reference.get("sectionName") or ""),
        controller=intern(entry.get("controllerName") or ""),
        conditions=parse_brief_conditions(entry.get("conditions")),
    )


@dataclass(frozen=True, slots=True)
class Attached:
    """An object that attaches to Gateways: a route, or the pool behind it."""

    meta: Meta
    parents: tuple[ParentStatus, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Which object this is."""
        return self.meta.ref

    def parent_status(self, parent: ObjectRef, controller: str) -> ParentStatus | None:
        """Return what `controller` says of the attachment to `parent`; entries of other controllers do not count."""
        return next(
            (entry for entry in self.parents if entry.parent == parent and entry.controller in {controller, ""}),
            None,
        )


@dataclass(frozen=True, slots=True)
class HTTPRoute(Attached):
    """An HTTPRoute."""


def parse_http_route(raw: Json, kind: str) -> HTTPRoute:
    """Return the record of an HTTPRoute."""
    meta = parse_meta(raw, kind)
    return HTTPRoute(meta=meta, parents=_parse_parents(raw, meta.ref.namespace))


@dataclass(frozen=True, slots=True)
class InferencePool(Attached):
    """An InferencePool."""

    selector: Mapping[str, str] = field(default_factory=dict)
    shape: int = 0
    """Checksum of the fields that are Flux's own."""


def parse_inference_pool(raw: Json, kind: str) -> InferencePool:
    """Return the record of an InferencePool."""
    meta = parse_meta(raw, kind)
    selector = (spec_of(raw).get("selector") or {}).get("matchLabels") or {}
    return InferencePool(
        meta=meta,
        parents=_parse_parents(raw, meta.ref.namespace),
        selector={intern(key): intern(value) for key, value in selector.items()},
        shape=shape_of(raw.get("metadata") or {}),
    )
