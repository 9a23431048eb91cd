"""From which Gateway a request comes, and by which host name: what the routes of the list say, which the controller makes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workspace_ctrl.api.labels import MODEL_INDEX_ADDRESSES_ANNOTATION
from workspace_ctrl.model.model_index import INDEX_HEADER
from workspace_ctrl.model.route_claims import hostnames_above
from workspace_ctrl.records.meta import Json, Meta, parse_meta, spec_of


@dataclass(frozen=True, slots=True)
class IndexRoute:
    """A route of the list."""

    meta: Meta
    key: str = ""
    """The token in the header that it sets; empty if it sets none."""
    gateway: str = ""
    """As namespace/name."""
    hostnames: tuple[str, ...] = ()
    """Empty for any."""
    addresses: tuple[str, ...] = ()
    """Those of the Gateway."""


def parse_index_route(raw: Json, kind: str) -> IndexRoute:
    """Return the record of a route of the list."""
    meta, spec = parse_meta(raw, kind), spec_of(raw)
    keys = (
        header.get("value", "")
        for rule in spec.get("rules") or ()
        for filter_ in rule.get("filters") or ()
        for header in (filter_.get("requestHeaderModifier") or {}).get("set") or ()
        if header.get("name") == INDEX_HEADER
    )
    parent: Json = next(iter(spec.get("parentRefs") or ()), {})
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    return IndexRoute(
        meta,
        next(keys, ""),
        f"{parent.get('namespace') or meta.ref.namespace}/{parent.get('name') or ''}",
        tuple(spec.get("hostnames") or ()),
        tuple(filter(None, annotations.get(MODEL_INDEX_ADDRESSES_ANNOTATION, "").split(","))),
    )


@dataclass(frozen=True, slots=True)
class Side:
    """The side of a Gateway from which a request came: its host name, as far as it matters."""

    gateway: str
    host: str = ""
    """Host name of the request; empty if the routes there have none."""
    is_wildcard: bool = False
    """Whether the routes there have no more than a wildcard for it."""
    addresses: frozenset[str] = frozenset()
    """Those of the Gateway, by which URLs without a host name of a route are recognised; for no `host`."""


@dataclass(frozen=True, slots=True)
class GatewaySides:
    """All sides of a Gateway."""

    gateway: str
    hostnames: frozenset[str]
    addresses: frozenset[str]

    def side(self, host: str) -> Side:
        """Return the side of a request with this Host header, chosen as proxies do: the most specific host name."""
        name = _without_port(host.lower())
        if name in self.hostnames:
            return Side(self.gateway, name)
        if any(above in self.hostnames for above in hostnames_above(name) if above):
            return Side(self.gateway, name, is_wildcard=True)
        return Side(self.gateway, addresses=self.addresses)


def sides_by_key(routes: Iterable[IndexRoute]) -> Mapping[str, GatewaySides]:
    """Return the Gateways by the token that stands for them."""
    by_key: dict[str, list[IndexRoute]] = {}
    for route in routes:
        if route.key and not route.meta.deleting:
            by_key.setdefault(route.key, []).append(route)
    return {
        key: GatewaySides(
            found[0].gateway,
            frozenset(hostname for route in found for hostname in route.hostnames),
            frozenset(address.lower() for route in found for address in route.addresses),
        )
        for key, found in by_key.items()
    }


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
