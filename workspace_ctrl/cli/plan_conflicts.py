"""Which of several planned Workspaces gets the requests that both want: judged by the code that judges it in the cluster."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from workspace_ctrl.cache.route_conflicts import taken_claims
from workspace_ctrl.model.route_claims import (
    RouteClaim,
    RouteClaimHolder,
    TakenClaims,
    group_holder,
    holder_title,
    names_of_members,
)
from workspace_ctrl.planning.desired_state import Desired
from workspace_ctrl.planning.preview import Preview

_TOGETHER: Final = ""
"""The creation time of all of them: they are applied together."""
_Taken = Mapping[RouteClaimHolder, Mapping[RouteClaim, RouteClaimHolder]]


def taken_matches(previews: Sequence[Preview]) -> dict[RouteClaimHolder, TakenClaims]:
    """Return of each Workspace with a conflict the route matches that another one gets, and those that its group does not get.

    The key is namespace and name of the Workspace.
    """
    planned = [preview.planned.desired for preview in previews]
    claims: dict[RouteClaimHolder, frozenset[RouteClaim]] = {}
    for desired in planned:
        claims.update(_claims(desired))
    kinds = {desired.workspace.key: desired.workspace.meta.ref.kind for desired in planned}
    found = taken_claims((holder, _TOGETHER, own) for holder, own in claims.items())
    return {desired.workspace.key: taken for desired in planned if (taken := _taken(desired, found, kinds))}


def _taken(desired: Desired, found: _Taken, kinds: Mapping[RouteClaimHolder, str]) -> TakenClaims:
    namespace, _ = key = desired.workspace.key
    groups = {group.records.name: found[group_holder(namespace, group.records.name)] for group in desired.groups}
    members = {
        (namespace, member.name) for group in desired.groups if group.has(desired.workspace.meta.ref) for member in group.members
    }
    return TakenClaims(
        _titled(found[key], kinds),
        names_of_members(found[key], members),
        {name: _titled(taken, kinds) for name, taken in groups.items()},
    )


def _titled(taken: Mapping[RouteClaim, RouteClaimHolder], kinds: Mapping[RouteClaimHolder, str]) -> dict[RouteClaim, str]:
    return {claim: holder_title(other, kinds.get(other, "")) for claim, other in taken.items()}


def _claims(desired: Desired) -> Iterator[tuple[RouteClaimHolder, frozenset[RouteClaim]]]:
    """Yield the claims of a Workspace, and of its group."""
    namespace, _ = key = desired.workspace.key
    yield key, desired.claims or frozenset()
    for group in desired.groups:
        yield group_holder(namespace, group.records.name), group.claims
