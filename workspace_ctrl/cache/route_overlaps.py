"""Which route claims take requests from those of other namespaces, found without comparing every two of them.

A claim takes requests from claims with the same host name that are above its path, and from claims of a more general host name, whatever
their path (`RouteClaim.takes_from`). Most claims are under the prefix of their own namespace and take none.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping

from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.route_claims import (
    BASE_MODEL_HEADER,
    MODEL_HEADER,
    RouteClaim,
    hostnames_above,
    prefixes_above,
)

Claimant = tuple[str, str, str]
"""Creation time, namespace and name of a Workspace: sorts by age."""
_Group = tuple[RouteClaim, str]
"""Claims that differ only in what the group leaves out: a claim without header, and a class of headers; without path for all paths."""
_Topic = tuple[str, RouteClaim]
_ANY_HEADER = "*"
_HEADERS = (MODEL_HEADER, BASE_MODEL_HEADER)


class _OldestByNamespace:
    """Claimants, with the oldest one of each namespace at hand; one with several claims is included several times."""

    __slots__ = ("_heads", "_of_namespace")

    def __init__(self) -> None:
        self._of_namespace: dict[str, list[Claimant]] = {}
        self._heads: list[Claimant] = []
        """The oldest claimant of each namespace, sorted."""

    def __bool__(self) -> bool:
        return bool(self._heads)

    def add(self, claimant: Claimant) -> bool:
        """Add a claim of `claimant`; return whether one of the two oldest namespaces has another oldest claimant now."""
        before = self._heads[:2]
        members = self._of_namespace.setdefault(claimant[1], [])
        old = members[0] if members else None
        insort(members, claimant)
        self._replace(old, members[0])
        return self._heads[:2] != before

    def remove(self, claimant: Claimant) -> bool:
        """Remove a claim of `claimant`, which was added; return the same."""
        before = self._heads[:2]
        members = self._of_namespace[claimant[1]]
        old = members[0]
        del members[bisect_left(members, claimant)]
        self._replace(old, members[0] if members else None)
        if not members:
            del self._of_namespace[claimant[1]]
        return self._heads[:2] != before

    def oldest_outside(self, namespace: str) -> Claimant | None:
        """Return the oldest claimant of the other namespaces, or None."""
        return next((head for head in self._heads[:2] if head[1] != namespace), None)

    def _replace(self, old: Claimant | None, new: Claimant | None) -> None:
        if old == new:
            return
        if old is not None:
            del self._heads[bisect_left(self._heads, old)]
        if new is not None:
            insort(self._heads, new)


class RouteOverlapIndex:
    """Finds the oldest Workspace of another namespace from which a claim takes requests.

    The time of an operation depends on the length of path and host name, not on the number of claims. Only for a claim that has a host name
    and a path which is neither `/` nor under the prefix of its namespace, it also depends on the number of claims under that path.
    """

    def __init__(self, claimants: Mapping[RouteClaim, list[Claimant]]) -> None:
        """Make an index next to `claimants`, the claimants of each claim, oldest first."""
        self._claimants = claimants
        self._groups: dict[_Group, _OldestByNamespace] = {}
        self._paths: dict[RouteClaim, list[str]] = {}
        """Place, as a claim without path and header → the path of each claim there, with a trailing slash, sorted."""
        self._interested: dict[_Topic, set[Key]] = {}

    def add(self, claim: RouteClaim, claimant: Claimant) -> set[Key]:
        """Add a claim; return the Workspaces whose claims may take from it."""
        insort(self._paths.setdefault(_place(claim), []), _closed(claim.path))
        changed = [self._groups.setdefault(group, _OldestByNamespace()).add(claimant) for group in _groups(claim)]
        return self._concerned(claim, any(changed))

    def remove(self, claim: RouteClaim, claimant: Claimant) -> set[Key]:
        """Remove a claim; return the same."""
        paths = self._paths[_place(claim)]
        del paths[bisect_left(paths, _closed(claim.path))]
        if not paths:
            del self._paths[_place(claim)]
        changed = []
        for group in _groups(claim):
            changed.append(self._groups[group].remove(claimant))
            if not self._groups[group]:
                del self._groups[group]
        return self._concerned(claim, any(changed))

    def subscribe(self, key: Key, before: Iterable[RouteClaim], after: Iterable[RouteClaim]) -> None:
        """Note that the Workspace `key` makes the claims `after` instead of `before`, so that `add` and `remove` return it."""
        old, new = (
            {topic for claim in claims if not claim.belongs_to(key[0]) for topic in _topics(claim)} for claims in (before, after)
        )
        for topic in old - new:
            self._interested[topic].discard(key)
            if not self._interested[topic]:
                del self._interested[topic]
        for topic in new - old:
            self._interested.setdefault(topic, set()).add(key)

    def oldest_overridden(self, claim: RouteClaim, claimant: Claimant) -> Claimant | None:
        """Return the oldest claimant, older than `claimant` and of another namespace, from which `claim` takes requests; or None."""
        if claim.belongs_to(claimant[1]):
            return None
        found = (entry for entry in self._overridden(claim, claimant[1]) if entry is not None and entry < claimant)
        return min(found, default=None)

    def _overridden(self, claim: RouteClaim, namespace: str) -> Iterator[Claimant | None]:
        for path in prefixes_above(claim.path):
            yield from self._at(claim._replace(path=path), namespace)
        if claim.header:
            yield self._without_header(claim._replace(header=""), namespace)
        for hostname in hostnames_above(claim.hostname):
            yield from self._of_hostname(claim._replace(hostname=hostname), namespace)

    def _of_hostname(self, claim: RouteClaim, namespace: str) -> Iterator[Claimant | None]:
        """Yield claimants of claims with the host name of `claim` that overlap with it."""
        if claim.path == "/":
            yield from (self._oldest((_place(claim), headers), namespace) for headers in _compatible(claim.header))
            return
        for path in (*prefixes_above(claim.path), claim.path, *self._paths_under(claim)):
            yield from self._at(claim._replace(path=path), namespace)

    def _paths_under(self, claim: RouteClaim) -> Iterator[str]:
        """Yield the longer paths of other claims with the path of `claim` as prefix."""
        paths, prefix = self._paths.get(_place(claim), []), _closed(claim.path)
        for place in range(bisect_right(paths, prefix), len(paths)):
            if not paths[place].startswith(prefix):
                return
            yield paths[place].rstrip("/")

    def _at(self, claim: RouteClaim, namespace: str) -> Iterator[Claimant | None]:
        """Yield claimants of claims with the host name and path of `claim` whose headers can be those of a request that matches it."""
        bare = claim._replace(header="")
        yield self._without_header(bare, namespace)
        yield from (self._oldest((bare, headers), namespace) for headers in _compatible(claim.header) if headers)

    def _without_header(self, claim: RouteClaim, namespace: str) -> Claimant | None:
        return next((claimant for claimant in self._claimants.get(claim, ()) if claimant[1] != namespace), None)

    def _oldest(self, group: _Group, namespace: str) -> Claimant | None:
        found = self._groups.get(group)
        return found.oldest_outside(namespace) if found is not None else None

    def _concerned(self, claim: RouteClaim, heads_changed: bool) -> set[Key]:  # noqa: FBT001 - the only one
        bare = claim._replace(header="")
        topics = [("longer", bare), ("narrower", _place(claim))]
        topics += [] if claim.header else [("header", bare)]
        topics += [("whole", _place(claim))] if heads_changed else []
        return {key for topic in topics for key in self._interested.get(topic, ())}


def _topics(claim: RouteClaim) -> Iterator[_Topic]:
    """Yield the topics of the other claims from which `claim` may take requests."""
    bare = claim._replace(header="")
    for path in prefixes_above(claim.path):
        yield "longer", bare._replace(path=path)
    if claim.header:
        yield "header", bare
    for hostname in hostnames_above(claim.hostname):
        yield "whole" if claim.path == "/" else "narrower", _place(claim._replace(hostname=hostname))


def _groups(claim: RouteClaim) -> Iterator[_Group]:
    """Yield the groups of which `claim` is a member: by header at its place, and if it has a header, at its path."""
    headers = (claim.header, claim.header_name, _ANY_HEADER) if claim.header else ("",)
    yield from ((_place(claim), header) for header in headers)
    if claim.header:
        yield from ((claim._replace(header=""), header) for header in headers)


def _compatible(header: str) -> tuple[str, ...]:
    """Return the classes of headers that a request which matches `header` can have, too."""
    if not header:
        return "", _ANY_HEADER
    name = header.partition("=")[0]
    return "", header, *(other for other in _HEADERS if other != name)


def _place(claim: RouteClaim) -> RouteClaim:
    return claim._replace(path="", header="")


def _closed(path: str) -> str:
    return path if path == "/" else f"{path}/"
