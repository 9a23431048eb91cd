"""Which of several planned Workspaces gets the requests that both want: judged by the code that judges it in the cluster."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from workspace_ctrl.cache.route_conflicts import taken_claims
from workspace_ctrl.model.route_claims import RouteClaim, RouteClaimHolder, group_holder, holder_title
from workspace_ctrl.planning.preview import Preview

_TOGETHER: Final = ""
"""The creation time of all of them: they are applied together."""


def taken_matches(previews: Sequence[Preview]) -> dict[RouteClaimHolder, Mapping[RouteClaim, str]]:
    """Return of each Workspace with a conflict the route matches that another one gets, or its group, with the title of that one.

    The key is namespace and name of the Workspace.
    """
    claims: dict[RouteClaimHolder, frozenset[RouteClaim]] = {}
    for preview in previews:
        claims.update(_claims(preview))
    kinds = {preview.planned.desired.workspace.key: preview.planned.desired.workspace.meta.ref.kind for preview in previews}
    found = taken_claims((holder, _TOGETHER, own) for holder, own in claims.items())
    taken: dict[RouteClaimHolder, Mapping[RouteClaim, str]] = {}
    for preview in previews:
        of_all = {claim: other for holder in dict(_claims(preview)) for claim, other in found[holder].items()}
        if of_all:
            key = preview.planned.desired.workspace.key
            taken[key] = {claim: holder_title(other, kinds.get(other, "")) for claim, other in of_all.items()}
    return taken


def _claims(preview: Preview) -> Iterable[tuple[RouteClaimHolder, frozenset[RouteClaim]]]:
    """Yield the claims of a Workspace, and of its group."""
    desired = preview.planned.desired
    namespace, _ = key = desired.workspace.key
    yield key, desired.claims or frozenset()
    for group in desired.groups:
        yield group_holder(namespace, group.records.name), group.claims
