"""The HTTPRoute of a group: a pure function of its members, so that each of them can apply it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workspace_ctrl.api.gateway_spec import NO_TIMEOUT
from workspace_ctrl.api.labels import (
    FIELD_MANAGER,
    GROUP_LABEL,
    GROUP_WEIGHTS_ANNOTATION,
    MANAGED_BY_LABEL,
    OWNER_LABEL,
)
from workspace_ctrl.model.plan_decisions import Parent
from workspace_ctrl.model.route_claims import MODEL_HEADER, REQUEST_ID_HEADER
from workspace_ctrl.planning.gateway.route import Routing, by_path, exact_header, parent_reference, path_of, to_root
from workspace_ctrl.planning.manifests import Manifest, stamped
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.traffic.members import GroupMember, heaviest
from workspace_ctrl.planning.traffic.request_ids import fractions
from workspace_ctrl.records.gateways import HTTPRoute

BY_WEIGHT: Final = "weights"
BY_REQUEST_ID: Final = "requestIds"
"""One rule for each member: the Gateway asks only one endpoint picker for a rule."""
UNDIVIDED: Final = "none"
"""All requests go to one member."""


@dataclass(frozen=True, slots=True)
class GroupRouting:
    """Which requests are the group's, and how they are divided among its members."""

    namespace: str
    name: str
    parents: tuple[Parent, ...]
    asked: Routing
    """The matches that the group's route should have."""
    weights: Mapping[str, int]
    """Members that get requests → their weights."""
    pools: Mapping[str, str] = field(default_factory=dict)
    """Member → name of its InferencePool."""

    @property
    def division(self) -> str:
        """How the Gateways can divide requests; what one of them cannot do is done for none, because they share the route."""
        found = {parent.divides for parent in self.parents}
        return next((kind for kind in (UNDIVIDED, BY_REQUEST_ID) if kind in found), BY_WEIGHT)

    @property
    def effective(self) -> Mapping[str, int]:
        """The weights as far as the Gateways can divide requests."""
        if self.division != UNDIVIDED or len(self.weights) < 2:  # noqa: PLR2004 - nothing to divide
            return self.weights
        name = heaviest(self.weights)
        return {name: self.weights[name]}


def group_routing(namespace: str, group: str, lead: Routing, parents: Sequence[Parent], *, by_header: bool) -> Routing:
    """Return the matches of a group: under its own path, and with its name in the header of the model name if that is wanted.

    `lead` is the routing of the member whose host names and timeout are the group's.
    """
    headers = (f"{MODEL_HEADER}={group}",) if by_header and all(parent.takes_headers for parent in parents) else ()
    return Routing(pool="", path=path_of(namespace, group), headers=headers, hostnames=lead.hostnames, timeout=lead.timeout)


def routing_of(route: HTTPRoute, settings: PlanSettings) -> Routing:
    """Return what a group without a member whose fields it could have keeps of its route."""
    return Routing(
        pool="", hostnames=route.hostnames, timeout="" if settings.request_timeout == NO_TIMEOUT else settings.request_timeout
    )


def has_header(route: HTTPRoute) -> bool:
    """Whether the route of a group matches its name in the header of the model name."""
    return any(header.startswith(f"{MODEL_HEADER}=") for rule in route.rules for match in rule.matches for header in match.headers)


def group_route(wanted: GroupRouting, granted: Routing, members: Sequence[GroupMember]) -> Manifest:
    """Return the HTTPRoute of a group with the matches that are `granted`; all `members` own it, and it goes with the last of them."""
    weights = wanted.effective
    spec: dict[str, Any] = {
        "parentRefs": [parent_reference(parent) for parent in wanted.parents],
        "rules": list(_rules(wanted, granted.accepted_by(wanted.parents))),
    }
    if granted.hostnames:
        spec["hostnames"] = list(granted.hostnames)
    metadata = {
        "name": wanted.name,
        "namespace": wanted.namespace,
        "labels": {MANAGED_BY_LABEL: FIELD_MANAGER, OWNER_LABEL: "", GROUP_LABEL: wanted.name},
        "annotations": {GROUP_WEIGHTS_ANNOTATION: ",".join(f"{name}={weight}" for name, weight in weights.items())},
        "ownerReferences": [_owner(member) for member in members],
    }
    return stamped({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec})


def _owner(member: GroupMember) -> dict[str, Any]:
    meta = member.meta
    return {"apiVersion": meta.api_version, "kind": meta.ref.kind, "name": meta.ref.name, "uid": meta.uid}


def _rules(wanted: GroupRouting, granted: Routing) -> Iterator[dict[str, Any]]:
    if granted.path:
        yield from (rule | to_root() for rule in _divided(wanted, granted, by_path(granted.path)))
    for header in granted.headers:
        yield from _divided(wanted, granted, by_path("/") | {"headers": [exact_header(header)]})


def _divided(wanted: GroupRouting, granted: Routing, match: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rules that divide the requests of one match; the last one takes what the others leave.

    Where no member gets requests, the only backend has weight 0, for which the Gateway API has Gateways answer with an error.
    """
    weights, rest = wanted.effective, {"timeouts": {"request": granted.timeout}} if granted.timeout else {}
    if not weights:  # Gateways answer with an error then, whereas without a rule another route might get the requests
        yield {"matches": [match], "backendRefs": [_backend(pool, 0) for pool in [*wanted.pools.values()][:1]]} | rest
        return
    if wanted.division == BY_WEIGHT:
        yield {"matches": [match], "backendRefs": [_backend(wanted.pools[name], weights[name]) for name in weights]} | rest
        return
    default = heaviest(weights)
    for name, expression in fractions(weights).items():
        if name != default:
            header = {"type": "RegularExpression", "name": REQUEST_ID_HEADER, "value": expression}
            matches = [match | {"headers": [*match.get("headers", ()), header]}]
            yield {"matches": matches, "backendRefs": [_backend(wanted.pools[name])]} | rest
    yield {"matches": [match], "backendRefs": [_backend(wanted.pools[default])]} | rest


def _backend(pool: str, weight: int | None = None) -> dict[str, Any]:
    reference = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}
    return reference | ({"weight": weight} if weight is not None else {})
