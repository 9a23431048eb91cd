"""Gateway, GatewayClass, HTTPRoute and InferencePool."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from workspace_ctrl.api.conditions import Condition, find, parse_brief_conditions
from workspace_ctrl.api.labels import (
    GATEWAY_LABELS,
    GATEWAY_NAME_LABEL,
    GROUP_LABEL,
    GROUP_WEIGHTS_ANNOTATION,
    STATUS_REQUEST_ANNOTATION,
)
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.records.chart_inventory import content_checksum
from workspace_ctrl.records.listeners import Listener, ParentReference, parse_listener
from workspace_ctrl.records.managed_fields import packed
from workspace_ctrl.records.meta import (
    Conditioned,
    Json,
    Meta,
    ObjectRef,
    bounded,
    conditions_of,
    parse_meta,
    spec_of,
    status_of,
)
from workspace_ctrl.records.workloads import Workload, parse_workload

_LONGEST_ROUTE: Final = 64 << 10
"""Spec of an HTTPRoute, in bytes of JSON; ours have a few kilobytes, and the matches are kept in memory."""
_LONGEST_WEIGHTS: Final = 4096
"""Annotation with the weights of a group, in characters; that of ours has a few hundred."""
_WEIGHT: Final = re.compile("[0-9]{1,7}")
_LONGEST_ADDRESS: Final = 253
"""Address of a Gateway, in characters; the limit of the Gateway API."""


@dataclass(frozen=True, slots=True)
class Gateway(Conditioned):
    """A Gateway, without its number of attached routes, which would change with every other Workspace."""

    class_name: str = ""
    preferred: bool = False
    """Whether it has the label that marks it as the default for inference."""
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
    said = {entry.get("name"): entry for entry in status_of(raw).get("listeners") or ()}
    return Gateway(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        class_name=spec.get("gatewayClassName") or "",
        preferred=any(labels.get(label) == "true" for label in GATEWAY_LABELS),
        listeners=tuple(parse_listener(entry, said.get(entry.get("name"))) for entry in spec.get("listeners") or ()),
        addresses=tuple(
            printable(entry["value"], _LONGEST_ADDRESS) for entry in status_of(raw).get("addresses") or () if entry.get("value")
        ),
    )


@dataclass(frozen=True, slots=True)
class GatewayProxy:
    """A Deployment that a controller created for a Gateway, identified by the Gateway API's well-known label (GEP-1762)."""

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
class GatewayService:
    """A Service that a controller created for a Gateway, identified by the same label."""

    meta: Meta
    gateway: str
    cluster_ip: str = ""
    """Empty if it has none."""
    ports: frozenset[int] = frozenset()

    def serves(self, gateway: ObjectRef) -> bool:
        """Whether it belongs to the data plane of `gateway`."""
        return (self.meta.ref.namespace, self.gateway) == (gateway.namespace, gateway.name)


def parse_gateway_service(raw: Json, kind: str) -> GatewayService:
    """Return the record of a Gateway's Service."""
    labels, spec = raw.get("metadata", {}).get("labels") or {}, spec_of(raw)
    address = spec.get("clusterIP") or ""
    return GatewayService(
        meta=parse_meta(raw, kind),
        gateway=labels.get(GATEWAY_NAME_LABEL, ""),
        cluster_ip="" if address == "None" else address,
        ports=frozenset(entry["port"] for entry in spec.get("ports") or ()),
    )


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
    """The status entry of one controller for an object's attachment to one parent."""

    parent: ParentReference
    controller: str = ""
    """Empty if it does not name itself: in the status of a route it has to (Gateway API), in that of a pool it need not."""
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return find(self.conditions, type_)

    def says(self, type_: str, generation: int) -> bool:
        """Whether the condition of that type is True for `generation` of the object."""
        condition = find(self.conditions, type_)
        return condition is not None and condition.is_true and condition.speaks_of(generation)


def _parse_parents(raw: Json, namespace: str) -> tuple[ParentStatus, ...]:
    return tuple(_parse_parent(entry, namespace) for entry in status_of(raw).get("parents") or ())


def _parse_parent(entry: Json, namespace: str) -> ParentStatus:
    return ParentStatus(
        parent=_parse_reference(entry.get("parentRef") or {}, namespace),
        controller=intern(entry.get("controllerName") or ""),
        conditions=parse_brief_conditions(entry.get("conditions")),
    )


def _parse_reference(reference: Json, namespace: str) -> ParentReference:
    kind, name, port = intern(reference.get("kind") or "Gateway"), intern(reference.get("name") or ""), reference.get("port")
    return ParentReference(
        ObjectRef(kind, intern(reference.get("namespace") or namespace), name),
        section=intern(reference.get("sectionName") or ""),
        port=port if isinstance(port, int) else 0,
    )


@dataclass(frozen=True, slots=True)
class Attached:
    """An object that attaches to Gateways: a route, or its pool."""

    meta: Meta
    parents: tuple[ParentStatus, ...] = ()
    attached_to: tuple[ParentReference, ...] = ()
    """The parentRefs of a route; a pool has none."""

    @property
    def ref(self) -> ObjectRef:
        """Which object this is."""
        return self.meta.ref

    def parent_status(self, parent: ParentReference, controller: str) -> ParentStatus | None:
        """Return the entry of `controller` for the attachment to `parent`; entries of other controllers are ignored.

        One that names no controller may be of any, and only counts where `controller` names itself in none for that Gateway: the status of
        a pool leaves it out with Istio 1.31, Envoy AI Gateway 1.0 (which writes one for every Gateway) and NGINX Gateway Fabric.

        Where none is for exactly that reference, one counts that is for none of the others. NGINX Gateway Fabric writes, in some versions,
        the name of the listener if a Gateway has only one, and never a port (prepareRouteStatus in nginx/nginx-gateway-fabric). Of several
        such entries one with Accepted=True goes first, as a route is attached when one listener accepts it (Gateway API).
        """
        said = [entry for entry in self.parents if entry.parent.ref == parent.ref]
        own = [entry for entry in said if entry.controller == controller] or [entry for entry in said if not entry.controller]
        exact = next((entry for entry in own if entry.parent == parent), None)
        near = (entry for entry in own if entry.parent not in self.attached_to and parent.may_be_about(entry.parent))
        return exact or max(near, key=lambda entry: entry.says("Accepted", self.meta.generation), default=None)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """A match of a route's rule."""

    path: str = "/"
    """Path prefix; empty for other types of path matches."""
    headers: tuple[str, ...] = ()
    """As `<name>=<value>`, in the order of the route."""
    exact: str = ""
    """The whole path; empty for other types of path matches."""
    pattern: str = ""
    """Regular expression of the path; empty for other types of path matches."""
    method: str = ""
    """HTTP method; empty for all."""
    has_query: bool = False
    """Whether query parameters are required."""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One rule of a route."""

    matches: tuple[RouteMatch, ...] = (RouteMatch(),)
    pools: tuple[str, ...] = ()
    """Names of the InferencePools in its backends, with a weight above 0, in the route's namespace."""
    prefix_to: str | None = None
    """What a matched path prefix is replaced by; None for no such rewrite."""
    path_to: str = ""
    """What the whole path is replaced by; empty for no such rewrite."""


@dataclass(frozen=True, slots=True)
class HTTPRoute(Attached):
    """An HTTPRoute."""

    hostnames: tuple[str, ...] = ()
    rules: tuple[RouteRule, ...] = ()
    created: str = ""
    """Creation time, as text that sorts by time."""
    group: str = ""
    """Name of the group whose route it is; empty for others."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Of the route of a group: its members that get requests, with their weights."""
    owners: frozenset[str] = frozenset()
    """The uids of its owners if none of them controls it: of the route of a group, those of its members."""
    status_request: str = ""
    """By which it has asked the Gateways' controllers for a new status of its pool; empty if it does not."""

    def pools_beside(self, pool: str) -> tuple[str, ...]:
        """Return the names of the other InferencePools in the rules that have `pool`, sorted."""
        return tuple(sorted({name for rule in self.rules if pool in rule.pools for name in rule.pools} - {pool}))


def parse_http_route(raw: Json, kind: str) -> HTTPRoute:
    """Return the record of an HTTPRoute.

    Raises:
        ValueError: its spec is too large.
    """
    meta, spec = parse_meta(raw, kind), spec_of(raw)
    namespace, metadata = meta.ref.namespace, raw.get("metadata") or {}
    group = intern((metadata.get("labels") or {}).get(GROUP_LABEL, ""))
    is_shared = bool(group) or not meta.controller_uid  # the label may have been removed
    if len(packed(spec)) > _LONGEST_ROUTE:
        raise ValueError(f"its spec is larger than {_LONGEST_ROUTE >> 10} KiB")
    return HTTPRoute(
        meta=meta,
        parents=_parse_parents(raw, namespace),
        hostnames=tuple(map(intern, spec.get("hostnames") or ())),
        attached_to=attached_to(spec, namespace),
        rules=tuple(_parse_rule(rule, namespace) for rule in spec.get("rules") or ()),
        created=intern(metadata.get("creationTimestamp") or ""),
        group=group,
        weights=_parse_weights(metadata) if is_shared else {},
        owners=frozenset(bounded(owner.get("uid", "")) for owner in metadata.get("ownerReferences") or ())
        if is_shared
        else frozenset(),
        status_request=bounded((metadata.get("annotations") or {}).get(STATUS_REQUEST_ANNOTATION, "")),
    )


def attached_to(spec: Json, namespace: str) -> tuple[ParentReference, ...]:
    """Return the parentRefs of a route in `namespace`."""
    return tuple(_parse_reference(entry, namespace) for entry in spec.get("parentRefs") or ())


def _parse_weights(metadata: Json) -> Mapping[str, int]:
    """Return the weights in the annotation of a group's route; without entries that are none."""
    text = (metadata.get("annotations") or {}).get(GROUP_WEIGHTS_ANNOTATION, "")[:_LONGEST_WEIGHTS]
    found = (entry.partition("=") for entry in text.split(","))
    return {intern(name): int(weight) for name, _, weight in found if _WEIGHT.fullmatch(weight)}


def _parse_rule(rule: Json, namespace: str) -> RouteRule:
    pools = (
        intern(entry.get("name") or "")
        for entry in rule.get("backendRefs") or ()
        if entry.get("kind") == "InferencePool" and entry.get("namespace") in {None, "", namespace} and entry.get("weight", 1)
    )
    matches: Iterable[Json] = rule.get("matches") or ({},)
    rewrites = (((entry.get("urlRewrite") or {}).get("path") or {}) for entry in rule.get("filters") or ())
    rewrite: Json = next((entry for entry in rewrites if entry), {})
    return RouteRule(
        tuple(map(parse_match, matches)),
        tuple(pools),
        rewrite.get("replacePrefixMatch") or "" if rewrite.get("type") == "ReplacePrefixMatch" else None,
        rewrite.get("replaceFullPath") or "",
    )


def parse_match(match: Json) -> RouteMatch:
    """Return one match of a rule."""
    path: Json = match.get("path") or {}
    type_, value = path.get("type", "PathPrefix"), intern(path.get("value") or "/")
    headers = (f"{entry.get('name')}={entry.get('value')}" for entry in match.get("headers") or ())
    return RouteMatch(
        path=value if type_ == "PathPrefix" else "",
        headers=tuple(map(intern, headers)),
        exact=value if type_ == "Exact" else "",
        pattern=value if type_ == "RegularExpression" else "",
        method=intern(match.get("method") or ""),
        has_query=bool(match.get("queryParams")),
    )


@dataclass(frozen=True, slots=True)
class InferencePool(Attached):
    """An InferencePool."""

    selector: Mapping[str, str] = field(default_factory=dict)
    shape: int = 0
    """Checksum of the fields that Flux owns."""
    has_picker: bool = True
    """Whether it names an endpoint picker; since 1.6 of the inference extension a pool may have none."""
    picker_service: str = ""
    """Name of the Service that it names as its endpoint picker; empty if it names none, or another kind."""
    port: int = 0
    """The first port of the model servers; 0 if it names none."""


def parse_inference_pool(raw: Json, kind: str) -> InferencePool:
    """Return the record of an InferencePool."""
    meta = parse_meta(raw, kind)
    selector = (spec_of(raw).get("selector") or {}).get("matchLabels") or {}
    picker: Json = spec_of(raw).get("endpointPickerRef") or {}
    return InferencePool(
        meta=meta,
        parents=_parse_parents(raw, meta.ref.namespace),
        selector={intern(key): intern(value) for key, value in selector.items()},
        shape=content_checksum(raw.get("metadata") or {}),
        has_picker=bool(picker),
        picker_service=intern(picker.get("name") or "") if picker.get("kind") in {None, "", "Service"} else "",
        port=_first_port(spec_of(raw).get("targetPorts")),
    )


def _first_port(ports: object) -> int:
    first = ports[0] if isinstance(ports, list) and ports else None
    number = first.get("number") if isinstance(first, dict) else None
    return number if isinstance(number, int) else 0


@dataclass(frozen=True, slots=True)
class KthenaModelServer:
    """An object that a GatewayClass needs in addition to the pool; only its existence matters."""

    meta: Meta


def parse_kthena_model_server(raw: Json, kind: str) -> KthenaModelServer:
    """Return the record of a ModelServer of kthena."""
    return KthenaModelServer(meta=parse_meta(raw, kind))
