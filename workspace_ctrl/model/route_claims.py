"""The route matches of a Workspace on a listener, to detect conflicts between Workspaces.

Which of two matches gets a request is the rule of the Gateway API: the more specific host name, then the longer path, then more headers,
then the older route. A match may take requests that another match would get otherwise, such as all those of a host name. Within a namespace
that is how routes are combined. Between namespaces it is a conflict, except where the requests belong to the namespace: under its own path
prefix, and on its own Gateways.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from workspace_ctrl.records.listeners import hostnames_overlap

MODEL_HEADER: Final = "X-Gateway-Model-Name"
"""Header with the model name, set by a body-based router."""
BASE_MODEL_HEADER: Final = "X-Gateway-Base-Model-Name"
"""Header with the name of the base model of an adapter, set by newer body-based routers."""


REQUEST_ID_HEADER: Final = "X-Request-Id"
"""Header with a random id of each request, set by Gateways."""


class RoutePlace(NamedTuple):
    """A listener and a host name, on which routes have matches."""

    gateway: str
    """Gateway, as namespace/name."""
    listener: str
    hostname: str
    """As in `RouteClaim`."""


class RouteClaim(NamedTuple):
    """Requests of one listener with one host name, path prefix and header."""

    gateway: str
    """Gateway, as namespace/name."""
    listener: str
    hostname: str
    """That of requests, or a wildcard: what host names of route and listener have in common. Empty for any."""
    path: str
    header: str = ""
    """`<name>=<value>`; empty for requests with any headers."""

    @property
    def place(self) -> str:
        """The listener, for messages."""
        return f"listener {self.listener} of Gateway {self.gateway}"

    def belongs_to(self, namespace: str) -> bool:
        """Whether all these requests belong to `namespace`."""
        return self.gateway.partition("/")[0] == namespace or is_under(self.path, prefix_of(namespace))

    def overlaps(self, other: "RouteClaim") -> bool:
        """Whether a request can match both."""
        return (
            self[:2] == other[:2]
            and (not self.hostname or not other.hostname or hostnames_overlap(self.hostname, other.hostname))
            and (is_under(self.path, other.path) or is_under(other.path, self.path))
            and (self.header == other.header or self.header_name != other.header_name)
        )

    def precedes(self, other: "RouteClaim") -> bool:
        """Whether requests that match both are routed by this one; if neither precedes the other, the older route gets them."""
        return self.specificity > other.specificity

    def takes_from(self, other: "RouteClaim", namespace: str) -> bool:
        """Whether this claim of a Workspace in `namespace` takes requests from `other`, of a Workspace in another namespace."""
        return not self.belongs_to(namespace) and self.overlaps(other) and self.precedes(other)

    @property
    def takes_the_rest(self) -> bool:
        """Whether all requests that nothing more specific matches are its."""
        return self.path == "/" and not self.header

    @property
    def header_name(self) -> str:
        """Name of the header; empty if there is none."""
        return self.header.partition("=")[0]

    @property
    def specificity(self) -> tuple[bool, bool, int, int, bool]:
        """By which the Gateway API orders matches of one request: the greater one routes it."""
        is_wildcard = self.hostname.startswith("*.")
        return bool(self.hostname), not is_wildcard, len(self.hostname), len(self.path), bool(self.header)


RouteClaimHolder = tuple[str, str]
"""Namespace and name of a Workspace or InferenceSet, or what `group_holder` or `yielding_holder` returns."""
_GROUP: Final = "group "
"""Begins the name of a group; no Workspace has a space in its name."""
_YIELDING: Final = "yielding "
"""Begins the name of a Workspace with those of its claims that yield to all others."""


def group_holder(namespace: str, group: str) -> RouteClaimHolder:
    """Return what holds the claims of a group of Workspaces, which have them together."""
    return namespace, f"{_GROUP}{group}"


def yielding_holder(holder: RouteClaimHolder) -> RouteClaimHolder:
    """Return what holds those claims of a Workspace that yield to all others, whatever its age."""
    return holder[0], f"{_YIELDING}{holder[1]}"


def workspace_of_holder(holder: RouteClaimHolder) -> RouteClaimHolder:
    """Return the Workspace that holds claims, yielding or not; a group as it is."""
    return holder[0], holder[1].removeprefix(_YIELDING)


def group_of_holder(holder: RouteClaimHolder) -> str:
    """Return the name of the group that holds claims; empty for a Workspace."""
    return holder[1].removeprefix(_GROUP) if holder[1].startswith(_GROUP) else ""


def holder_title(holder: RouteClaimHolder, kind: str) -> str:
    """Return who holds claims, for messages; of a group, `kind` does not count."""
    group = group_of_holder(holder)
    return f"group {group} of namespace {holder[0]}" if group else f"{kind} {'/'.join(workspace_of_holder(holder))}"


@dataclass(frozen=True, slots=True)
class TakenClaims:
    """The claims that others keep from a Workspace, and those that they keep from its groups; each with the title of the other one."""

    own: Mapping[RouteClaim, str] = field(default_factory=dict)
    """Those of the Workspace itself."""
    of_members: frozenset[RouteClaim] = frozenset()
    """Which of these are no conflict: names of the model that another member of its group has as well."""
    groups: Mapping[str, Mapping[RouteClaim, str]] = field(default_factory=dict)
    """Group → those of its route."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.own) or any(self.groups.values())

    @property
    def holders(self) -> tuple[str, ...]:
        """The titles of the others with which there is a conflict, sorted."""
        mine = (title for claim, title in self.own.items() if claim not in self.of_members)
        return tuple(sorted({*mine, *(title for taken in self.groups.values() for title in taken.values())}))


NOTHING_TAKEN: Final = TakenClaims()


def names_of_members(taken: Mapping[RouteClaim, RouteClaimHolder], members: Collection[RouteClaimHolder]) -> frozenset[RouteClaim]:
    """Return those of the `taken` claims of a Workspace that are names of its model which one of `members`, of its group, has, too.

    Versions of one model have the same names, so this is no conflict between them.
    """
    return frozenset(claim for claim, holder in taken.items() if claim.header and holder in members)


def group_with_claim(claim: RouteClaim, namespace: str) -> str:
    """Return the name of the group of `namespace` whose route would have this claim; empty if that of none would."""
    prefix, name = f"{prefix_of(namespace)}/", claim.header.removeprefix(f"{MODEL_HEADER}=")
    if claim.header:
        return name if name != claim.header else ""
    rest = claim.path.removeprefix(prefix)
    return rest if rest != claim.path and "/" not in rest else ""


def prefix_of(namespace: str) -> str:
    """Return the path prefix that belongs to `namespace` on all Gateways."""
    return f"/{namespace}"


def is_under(path: str, prefix: str) -> bool:
    """Whether all requests with `path` as prefix have `prefix`, too; both have no trailing slash, except `/`."""
    return prefix in {"/", path} or path.startswith(f"{prefix}/")


def prefixes_above(path: str) -> Iterator[str]:
    """Yield the paths above `path`, the longest first: of /a/b, /a and /."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def hostnames_above(hostname: str) -> Iterator[str]:
    """Yield the host names that include all requests of `hostname`: longer wildcards first, and last the empty one for any."""
    rest = hostname.removeprefix("*.").partition(".")[2]
    while rest:
        yield f"*.{rest}"
        rest = rest.partition(".")[2]
    if hostname:
        yield ""
