"""Conflicts between routes: if two Workspaces claim the same requests of a listener, the older one gets them.

The same requests are those of equal claims; between namespaces also those that a claim takes from another one by the precedence of the
Gateway API (`route_overlaps`).
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_overlaps import Claimant, RouteOverlapIndex
from workspace_ctrl.cache.route_places import RoutePlaces
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.route_claims import REQUEST_ID_HEADER, RouteClaim, RouteClaimHolder, group_holder
from workspace_ctrl.records.gateways import Gateway, HTTPRoute, RouteMatch
from workspace_ctrl.records.workspaces import WorkspaceRecord


class RouteClaimIndex:
    """Maps each claim to the Workspaces that make it, oldest first.

    The time of an operation depends only on the number of claims of that Workspace. `changed` is called for each other Workspace one
    of whose claims has a new holder after it, or may have.
    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._claimants: dict[RouteClaim, list[Claimant]] = {}
        self._overlaps = RouteOverlapIndex(self._claimants)
        self._claims: dict[Key, tuple[Claimant, frozenset[RouteClaim]]] = {}
        self._by_header: Counter[str] = Counter()
        """Gateway → number of Workspaces that claim a header on it."""
        self.places = RoutePlaces()

    def set(self, key: Key, created: str, claims: frozenset[RouteClaim]) -> bool:
        """Set the claims of the Workspace `key`, created at `created`; return whether they have changed."""
        claimant = (created, *key)
        known, before = self._claims.get(key, (claimant, frozenset[RouteClaim]()))
        if (known, before) == (claimant, claims):
            return False
        moved = before ^ claims if known == claimant else before | claims
        heirs = {other for claim in moved for other in self._update(claim, known, claimant if claim in claims else None)}
        concerned = {other for claim in moved & before for other in self._overlaps.remove(claim, known)}
        concerned.update(other for claim in moved & claims for other in self._overlaps.add(claim, claimant))
        self._overlaps.subscribe(key, before, claims)
        if claims:
            self._claims[key] = (claimant, claims)
        else:
            self._claims.pop(key, None)
        self._by_header.subtract(_gateways_by_header(before))
        self._by_header.update(_gateways_by_header(claims))
        self.places.replace(before - claims, claims - before)
        first = min(known, claimant)
        younger = {other for other in concerned if other[0] != key[0] and first < self._claims[other][0]}
        for other in {(namespace, name) for _, namespace, name in heirs} | younger - {key}:
            if other != key:
                self._changed(other)
        return True

    def claims(self, key: Key) -> tuple[str, frozenset[RouteClaim]]:
        """Return the creation time and the claims that were set for the Workspace `key`."""
        (created, _, _), claims = self._claims.get(key, (("", *key), frozenset()))
        return created, claims

    def forget(self, key: Key) -> None:
        """Remove all claims of the Workspace `key`."""
        self.set(key, "", frozenset())

    @property
    def gateways_by_header(self) -> frozenset[str]:
        """The Gateways, as namespace/name, on which any Workspace claims a header."""
        return frozenset(gateway for gateway, count in self._by_header.items() if count > 0)

    def taken(self, key: Key) -> Mapping[RouteClaim, RouteClaimHolder]:
        """Return the claims of the Workspace `key` that an older Workspace holds, or whose requests are its, with that Workspace."""
        if key not in self._claims:
            return {}
        claimant, claims = self._claims[key]
        holders = {claim: self._claimants[claim][0] for claim in claims}
        held = {
            claim: holder if holder != claimant else self._overlaps.oldest_overridden(claim, claimant)
            for claim, holder in holders.items()
        }
        return {claim: holder[1:] for claim, holder in held.items() if holder is not None}

    def _update(self, claim: RouteClaim, old: Claimant, new: Claimant | None) -> Iterable[Claimant]:
        """Replace `old` by `new` among the claimants; return those for which the holder has changed."""
        claimants = self._claimants.setdefault(claim, [])
        holder = claimants[0] if claimants else None
        place = bisect_left(claimants, old)
        if claimants[place : place + 1] == [old]:
            del claimants[place]
        if new is not None:
            insort(claimants, new)
        if not claimants:
            del self._claimants[claim]
            return ()
        return () if claimants[0] == holder else tuple(claimants)


def taken_claims(
    claimants: Iterable[tuple[RouteClaimHolder, str, frozenset[RouteClaim]]],
) -> dict[RouteClaimHolder, Mapping[RouteClaim, RouteClaimHolder]]:
    """Return of each holder the claims that another one keeps from it; `claimants` are holders, creation times, and claims."""
    index = RouteClaimIndex(lambda _: None)
    known = [*claimants]
    for holder, created, claims in known:
        index.set(holder, created, claims)
    return {holder: index.taken(holder) for holder, _, _ in known}


def _gateways_by_header(claims: Iterable[RouteClaim]) -> set[str]:
    return {claim.gateway for claim in claims if claim.header}


FindGateway = Callable[[Key], Gateway | None]


def accepted_claims(route: HTTPRoute, find_gateway: FindGateway) -> frozenset[RouteClaim]:
    """Return the claims of a route on the Gateways that have accepted it: all that is visible of a Workspace of another shard."""
    accepted = {entry.parent.ref for entry in route.parents if (said := entry.condition("Accepted")) is not None and said.is_true}
    gateways = {f"{parent.namespace}/{parent.name}" for parent in accepted}
    return frozenset(claim for claim in claims_of(route, find_gateway) if claim.gateway in gateways)


def claims_of(route: HTTPRoute, find_gateway: FindGateway) -> frozenset[RouteClaim]:
    """Return the claims of one of our routes, with which the index is filled at the start, before the first pass."""
    places = [
        (gateway.key, listener.name, listener.common_hostnames(route.hostnames))
        for parent in route.attached_to
        if parent.ref.kind == "Gateway" and (gateway := find_gateway((parent.ref.namespace, parent.ref.name))) is not None
        for listener in gateway.listeners
        if listener.speaks_http and parent.selects(listener) and listener.admits_hostnames(route.hostnames)
    ]
    matches = [match for rule in route.rules for match in rule.matches]
    return frozenset(
        RouteClaim(gateway, listener, hostname, match.path, *_claimed_headers(match)[:1])
        for gateway, listener, hostnames in places
        for hostname in hostnames or ("",)
        for match in matches
    )


def _claimed_headers(match: RouteMatch) -> tuple[str, ...]:
    """Return the headers of a match, without that by which the requests of a group are divided."""
    return tuple(header for header in match.headers if not header.startswith(f"{REQUEST_ID_HEADER}="))


def claims_of_groups(cache: Cache, *, is_shard: bool) -> Iterator[tuple[RouteClaimHolder, str, frozenset[RouteClaim]]]:
    """Yield the holder of the claims of each group, its age as text that sorts by time, and what its route claims.

    `is_shard` is whether other processes may reconcile members.
    """
    for route in cache.http_routes.values():
        members = cache.members_of((route.ref.namespace, route.group)) if route.group else ()
        holder = group_holder(route.ref.namespace, route.group)
        if is_shard and route.group:
            yield holder, route.created, accepted_claims(route, cache.gateways.get)
        elif members:
            yield holder, min(filter(None, (route.created, members[0].created)), default=""), claims_of(route, cache.gateways.get)


def claims_of_routes(cache: Cache) -> Iterator[tuple[WorkspaceRecord, frozenset[RouteClaim]]]:
    """Yield each Workspace that has a route, with the matches that its route claims on listeners."""
    for route in cache.http_routes.values():
        workspace = cache.holder((route.ref.namespace, route.meta.workspace))
        if workspace is not None and route.meta.is_controlled_by(workspace.meta.uid):
            yield workspace, claims_of(route, cache.gateways.get)


def claims_of_other_shards(cache: Cache) -> Iterator[tuple[Key, str, frozenset[RouteClaim]]]:
    """Yield the same for each Workspace that another process reconciles, as far as its route shows it."""
    for route in cache.http_routes.values():
        key = route.ref.namespace, route.meta.workspace
        if cache.holder(key) is None:
            yield key, *claims_of_other_shard(cache, key)


def claims_of_other_shard(cache: Cache, key: Key) -> tuple[str, frozenset[RouteClaim]]:
    """Return the creation time of the route of the Workspace `key`, which another process reconciles, and what it claims.

    The creation time is that of the API server: what others write into a route is not trusted.
    """
    route = cache.route_of(key)
    return ("", frozenset()) if route is None else (route.created, accepted_claims(route, cache.gateways.get))
