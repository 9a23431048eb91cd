"""Listeners of a Gateway, and which routes they accept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workspace_ctrl.api.conditions import Condition, Status, find, parse_brief_conditions
from workspace_ctrl.records.meta import Json, ObjectRef
from workspace_ctrl.records.selectors import EVERYTHING, Selector, parse_selector

SCHEMES: Final[Mapping[str, tuple[str, int]]] = {"HTTP": ("http", 80), "HTTPS": ("https", 443)}
"""Protocol of a listener that supports HTTPRoutes → scheme and default port of its URLs."""
_SERVING: Final = ("Accepted", "ResolvedRefs", "Programmed")
"""Conditions that a working listener has."""
_SERVING_IN_PART: Final = frozenset({"PartiallyInvalidCertificateRef", "InvalidRouteKinds"})
"""Reasons of ResolvedRefs=False with which a listener that is Programmed serves what is valid: with the other certificates (Envoy Gateway's
reason), or the other kinds of routes (Gateway API). With any other reason it is not trusted, since Programmed may be written carelessly."""
_HTTP_ROUTE = ("gateway.networking.k8s.io", "HTTPRoute")


class RoutesFrom(StrEnum):
    """The namespaces whose routes a listener accepts."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener of a Gateway."""

    name: str
    protocol: str
    port: int
    hostname: str = ""
    """Host name of requests, or a wildcard; empty for any."""
    routes_from: RoutesFrom = RoutesFrom.SAME
    selector: Selector = EVERYTHING
    """The namespace selector, if `routes_from` is Selector."""
    takes_http_routes: bool = True
    """Whether it allows the kind HTTPRoute."""
    conditions: tuple[Condition, ...] = ()
    """Its conditions in the Gateway's status."""

    def refusal(self, generation: int) -> Condition | None:
        """Return the condition that reports, for the Gateway's `generation`, that the listener does not work, or None."""
        restriction = self.restriction(generation)
        said = (entry for type_ in _SERVING if (entry := find(self.conditions, type_)) is not restriction)
        return next(
            (entry for entry in said if entry is not None and entry.status == Status.FALSE and entry.speaks_of(generation)), None
        )

    def restriction(self, generation: int) -> Condition | None:
        """Return the condition that reports, for the Gateway's `generation`, what is invalid of a listener that serves the rest.

        None if nothing is, or it does not serve.
        """
        said = (find(self.conditions, type_) for type_ in ("Programmed", "ResolvedRefs"))
        programmed, resolved = (entry if entry is not None and entry.speaks_of(generation) else None for entry in said)
        if programmed is None or not programmed.is_true or resolved is None or resolved.status != Status.FALSE:
            return None
        return resolved if resolved.reason in _SERVING_IN_PART else None

    @property
    def speaks_http(self) -> bool:
        """Whether its protocol supports HTTPRoutes."""
        return self.protocol in SCHEMES

    def admits_namespace(self, namespace: str, labels: Mapping[str, str] | None, *, own: str) -> bool | None:
        """Whether routes of `namespace` may attach; None if its labels are needed and not known.

        `own` is the namespace of the Gateway.
        """
        if self.routes_from is RoutesFrom.ALL:
            return True
        if self.routes_from is RoutesFrom.SELECTOR:
            return None if labels is None else self.selector.selects(labels)
        return self.routes_from is RoutesFrom.SAME and namespace == own

    def admits_hostnames(self, hostnames: Sequence[str]) -> bool:
        """Whether the host names of a route, which may have none, intersect with that of the listener."""
        return not hostnames or not self.hostname or any(hostnames_overlap(self.hostname, hostname) for hostname in hostnames)

    def common_hostnames(self, hostnames: Sequence[str]) -> tuple[str, ...]:
        """Return the effective host names of a route with `hostnames`, including wildcards; empty if any name matches."""
        if not hostnames or not self.hostname:
            return tuple(hostnames) or ((self.hostname,) if self.hostname else ())
        return tuple(_narrower(self.hostname, hostname) for hostname in hostnames if hostnames_overlap(self.hostname, hostname))


@dataclass(frozen=True, slots=True)
class ParentReference:
    """An entry of a route's parentRefs, and the object of an entry of a status: a Gateway, and which of its listeners."""

    ref: ObjectRef
    """The Gateway, or an object of another kind."""
    section: str = ""
    """Name of a listener; empty for all."""
    port: int = 0
    """Port of the listeners; 0 for any. With a name, both apply (Gateway API)."""

    def selects(self, listener: Listener) -> bool:
        """Whether a listener of the Gateway is meant."""
        return self.section in {"", listener.name} and self.port in {0, listener.port}

    def may_be_about(self, other: "ParentReference") -> bool:
        """Whether a status for `other` may be about this reference: it names a listener more exactly, or leaves out the port."""
        return (
            self.ref == other.ref
            and self.section in {"", other.section}
            and (self.port == other.port or 0 in {self.port, other.port})
        )


def hostnames_overlap(one: str, other: str) -> bool:
    """Whether two host names, each of which may be a wildcard, intersect (Gateway API's rule)."""
    if one == other:
        return True
    suffix, other_suffix = _suffix(one), _suffix(other)
    if suffix and other_suffix:
        return suffix.endswith(other_suffix) or other_suffix.endswith(suffix)
    if suffix:
        return other.endswith(suffix)
    return bool(other_suffix) and one.endswith(other_suffix)


def _narrower(one: str, other: str) -> str:
    """Return the intersection of two overlapping host names: the plain one, or the longer wildcard."""
    return max(one, other, key=lambda hostname: (not hostname.startswith("*."), len(hostname)))


def _suffix(hostname: str) -> str:
    """Return the suffix of a wildcard; empty for a plain name."""
    return hostname.removeprefix("*") if hostname.startswith("*.") else ""


def parse_listener(entry: Json, said: Json | None = None) -> Listener:
    """Return the record of a listener, from its spec and its entry in the Gateway's status."""
    allowed: Json = entry.get("allowedRoutes") or {}
    namespaces: Json = allowed.get("namespaces") or {}
    kinds = [(kind.get("group", _HTTP_ROUTE[0]), kind.get("kind")) for kind in allowed.get("kinds") or ()]
    return Listener(
        name=entry.get("name") or "",
        protocol=entry.get("protocol") or "",
        port=entry.get("port") or 0,
        hostname=entry.get("hostname") or "",
        routes_from=_routes_from(namespaces.get("from") or RoutesFrom.SAME),
        selector=parse_selector(namespaces.get("selector") or {}),
        takes_http_routes=not kinds or _HTTP_ROUTE in kinds,
        conditions=parse_brief_conditions((said or {}).get("conditions")),
    )


def _routes_from(value: str) -> RoutesFrom:
    """Return the namespaces of `from`; a value that the Gateway API does not know accepts routes from none."""
    try:
        return RoutesFrom(value)
    except ValueError:
        return RoutesFrom.NONE
