"""The HTTPRoutes of the list of models: on which listeners and host names it answers what no model takes.

It may not take a request from anything else on a Gateway. So it matches least of all, every path without a header, and is left out where
another route does that, too: of two such routes, the older one would get the requests. It is only where routes of models are, with their
listeners and host names, because proxies do not look for a match among less specific host names.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workspace_ctrl.api.labels import (
    FIELD_MANAGER,
    MANAGED_BY_LABEL,
    MODEL_INDEX_ADDRESSES_ANNOTATION,
    MODEL_INDEX_LABEL,
)
from workspace_ctrl.catalog.gateway_classes import GatewayClassProfile, find_profile
from workspace_ctrl.model.model_index import INDEX_HEADER, IndexState
from workspace_ctrl.model.route_claims import RoutePlace, hostnames_above
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.gateway.route import by_path
from workspace_ctrl.planning.manifests import Manifest, applied_hash, stamped
from workspace_ctrl.planning.plan_settings import ModelIndexSettings
from workspace_ctrl.records.core_v1 import Namespace
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.listeners import Listener, ParentReference
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.other_routes import OtherRoute

_MOST_HOSTNAMES: Final = 16
_MOST_PARENTS: Final = 32
"""Limits of an HTTPRoute."""
_MOST_ROUTES: Final = 16
"""Of one Gateway; where it has more host names, the others get no list."""
_LONGEST_NAME: Final = 100
"""Characters of a Gateway's name in that of a route."""
_TIMEOUT: Final = "10s"


@dataclass(frozen=True, slots=True)
class IndexInputs:
    """What the routes depend on."""

    gateways: Mapping[str, Gateway]
    """By namespace/name."""
    profiles: Mapping[str, GatewayClassProfile]
    """By name of the GatewayClass."""
    namespaces: Mapping[str, Namespace]
    others: tuple[OtherRoute, ...] = ()
    """HTTPRoutes that belong to no Workspace."""

    def profile_of(self, gateway: Gateway) -> GatewayClassProfile:
        """Return the requirements of a Gateway's class; standard behaviour if the class does not exist."""
        return self.profiles.get(gateway.class_name) or find_profile(None, {})


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """The wanted routes, and how it is with each Gateway on which there are models."""

    routes: tuple[Manifest, ...] = ()
    states: Mapping[str, IndexState] = field(default_factory=dict)
    """By Gateway, as namespace/name."""


def plan_index(
    settings: ModelIndexSettings,
    owner: Meta,
    with_models: Iterable[RoutePlace],
    without_rest: Iterable[RoutePlace],
    inputs: IndexInputs,
) -> IndexPlan:
    """Return the routes for the places with models.

    `owner` is the Service, with which all routes are deleted; `without_rest` are the places where a model takes the rest of the requests.
    """
    taken = {*without_rest, *_places_of_others(settings, inputs)}
    by_gateway: dict[str, list[RoutePlace]] = {}
    for place in sorted(with_models):
        by_gateway.setdefault(place.gateway, []).append(place)
    routes: list[Manifest] = []
    states: dict[str, IndexState] = {}
    for key, places in by_gateway.items():
        gateway = inputs.gateways.get(key)
        if gateway is not None:
            state, free = _usable(gateway, places, taken, settings, inputs)
            rule = _rule(settings, index_key(owner.uid, key), takes_timeouts=inputs.profile_of(gateway).takes_timeouts)
            made = [_route(settings, owner, gateway, rule, *part) for part in enumerate(_parts(free))]
            routes += made[:_MOST_ROUTES]
            states[key] = IndexState.TOO_MANY_HOSTNAMES if len(made) > _MOST_ROUTES else state
    return IndexPlan(tuple(routes), states)


def is_as(manifest: Manifest, live: Meta) -> bool:
    """Whether a route is as it was applied."""
    return live.applied_hash == applied_hash(manifest) and is_ours(manifest, live.owned)


def _usable(
    gateway: Gateway, places: Iterable[RoutePlace], taken: set[RoutePlace], settings: ModelIndexSettings, inputs: IndexInputs
) -> tuple[IndexState, list[RoutePlace]]:
    """Return the places that the list can have, and what has to be said about the others."""
    if not inputs.profile_of(gateway).routes_to_services:
        return IndexState.NOT_SUPPORTED, []
    listeners = {listener.name: listener for listener in gateway.listeners}
    known = [place for place in places if place.listener in listeners]
    admits = _admission(gateway, settings.service_namespace, inputs.namespaces, if_unknown=False)
    admitted = [place for place in known if admits(listeners[place.listener])]
    free = [place for place in admitted if not _is_taken(place, taken)]
    if len(admitted) < len(known):
        return IndexState.NOT_ALLOWED, free
    return (IndexState.TAKEN if len(free) < len(admitted) else IndexState.ATTACHED), free


def _admission(
    gateway: Gateway, namespace: str, namespaces: Mapping[str, Namespace], *, if_unknown: bool
) -> Callable[[Listener], bool]:
    """Return what tells whether a listener takes routes of `namespace`, whose labels may not be known."""
    live = namespaces.get(namespace)
    labels = live.labels if live is not None else None
    own = gateway.ref.namespace

    def admits(listener: Listener) -> bool:
        said = listener.admits_namespace(namespace, labels, own=own)
        return listener.speaks_http and listener.takes_http_routes and (if_unknown if said is None else said)

    return admits


def _is_taken(place: RoutePlace, taken: set[RoutePlace]) -> bool:
    """Whether another route takes the rest of the requests there, or of a host name that includes this one."""
    above = (place.hostname, *hostnames_above(place.hostname))
    return any(place._replace(hostname=hostname) in taken for hostname in above)


def _places_of_others(settings: ModelIndexSettings, inputs: IndexInputs) -> Iterator[RoutePlace]:
    """Yield where routes that belong to no Workspace take the rest of the requests, as far as listeners accept them."""
    for route in inputs.others:
        is_own = (route.meta.ref.namespace, route.index) == (settings.service_namespace, settings.service)
        for parent in route.attached_to if route.takes_the_rest and not is_own else ():
            gateway = inputs.gateways.get(f"{parent.ref.namespace}/{parent.ref.name}")
            if gateway is not None and parent.ref == gateway.ref:
                yield from _places_on(gateway, parent, route, inputs.namespaces)


def _places_on(
    gateway: Gateway, parent: ParentReference, route: OtherRoute, namespaces: Mapping[str, Namespace]
) -> Iterator[RoutePlace]:
    admits = _admission(gateway, route.meta.ref.namespace, namespaces, if_unknown=True)
    for listener in gateway.listeners:
        if parent.selects(listener) and admits(listener) and listener.admits_hostnames(route.hostnames):
            for hostname in listener.common_hostnames(route.hostnames) or ("",):
                yield RoutePlace(gateway.key, listener.name, hostname)


def _parts(places: Iterable[RoutePlace]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the listeners and host names of each route: all host names of a route are those of all its listeners."""
    listeners: dict[str, list[str]] = {}
    for place in places:
        listeners.setdefault(place.hostname, []).append(place.listener)
    hostnames: dict[tuple[str, ...], list[str]] = {}
    for hostname, names in listeners.items():
        hostnames.setdefault(tuple(names), []).append(hostname)
    for of_route, found in hostnames.items():
        for some in _batches(of_route, _MOST_PARENTS):
            if "" in found:
                yield some, ()
            for several in _batches(tuple(filter(None, found)), _MOST_HOSTNAMES):
                yield some, several


def _batches(names: Sequence[str], most: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), most):
        yield tuple(names[start : start + most])


def _route(  # noqa: PLR0917 - what a route is made of
    settings: ModelIndexSettings,
    owner: Meta,
    gateway: Gateway,
    rule: Mapping[str, Any],
    number: int,
    part: tuple[tuple[str, ...], tuple[str, ...]],
) -> Manifest:
    listeners, hostnames = part
    ref = gateway.ref
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": ref.namespace, "name": ref.name}
    spec: dict[str, Any] = {
        "parentRefs": [parent | {"sectionName": name} for name in listeners],
        "rules": [rule],
    }
    if hostnames:
        spec["hostnames"] = list(hostnames)
    metadata = {
        "name": index_route_name(settings.service, gateway.key, number),
        "namespace": settings.service_namespace,
        "labels": {MANAGED_BY_LABEL: FIELD_MANAGER, MODEL_INDEX_LABEL: settings.service},
        "annotations": {MODEL_INDEX_ADDRESSES_ANNOTATION: ",".join(gateway.addresses)},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": settings.service, "uid": owner.uid}],
    }
    return stamped({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec})


def _rule(settings: ModelIndexSettings, key: str, *, takes_timeouts: bool) -> dict[str, Any]:
    timeouts = {"timeouts": {"request": _TIMEOUT}} if takes_timeouts else {}
    header = {"name": INDEX_HEADER, "value": key}
    return {
        "matches": [by_path("/")],
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}],
        "backendRefs": [{"group": "", "kind": "Service", "name": settings.service, "port": settings.port}],
    } | timeouts


def index_route_name(service: str, gateway: str, number: int) -> str:
    """Return the name of a route of `gateway`, given as namespace/name."""
    digest = hashlib.sha256(gateway.encode()).hexdigest()[:8]
    name = gateway.partition("/")[2][:_LONGEST_NAME].rstrip(".-")
    return f"{service}-{name}-{digest}" + (f"-{number}" if number else "")


def index_key(uid: str, gateway: str) -> str:
    """Return the token by which the Service, whose uid is `uid`, knows from which Gateway a request comes.

    Clients cannot guess it: pods that connect to the Service themselves learn no names of models on Gateways that they cannot reach.
    """
    return hashlib.sha256(f"{uid} {gateway}".encode()).hexdigest()[:32]
