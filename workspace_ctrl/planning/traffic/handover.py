"""A member whose own matches are those of its group: the group gets them, and the member gives them up without losing a request.

So an existing URL can be put in front of several versions: the Workspace that has the path `/<namespace>/<group>` becomes a member of the
group. Of two routes with the same match Gateways use the older one, so its own route answers until it gives the match up, and it does that
once those Gateways have accepted the route of the group that had accepted its own.
"""

from dataclasses import replace

from workspace_ctrl.model.attachment_status import status_from
from workspace_ctrl.model.plan_decisions import Parent
from workspace_ctrl.model.route_claims import MODEL_HEADER, RouteClaim
from workspace_ctrl.planning.gateway.route import Routing, path_of
from workspace_ctrl.planning.traffic.group_steps import DesiredGroup
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import ObjectRef

_Match = tuple[str, str]
"""Path prefix and header."""


def keeps_name(asked: Routing, group: DesiredGroup | None, parents: tuple[Parent, ...], live: HTTPRoute | None) -> bool:
    """Whether a member matches the name of its group in the header of the model name itself, if that is a name of its model.

    `asked` is its routing with all names of the model, and `live` its own route. Only a name that the group asks for leads to the group.
    """
    if group is None:
        return True
    match = ("/", f"{MODEL_HEADER}={group.records.name}")
    if group.routing is None:
        return _has(live, match)  # what the group asks for is not known
    return _is_kept(match, asked, group, parents, live)


def without_path_of_group(
    asked: Routing, workspace: ObjectRef, group: DesiredGroup | None, parents: tuple[Parent, ...], live: HTTPRoute | None
) -> Routing:
    """Return the routing of a member with its default path instead of that of its group; `live` is its own route.

    As long as somebody loses the answer under that path by it, it stays. Where Gateways or host names of the member are others than those
    of the group, the paths are different ones.
    """
    if group is None or not asked.path or _is_kept((asked.path, ""), asked, group, parents, live):
        return asked
    return replace(asked, path=path_of(workspace.namespace, workspace.name))


def path_note(
    wanted: Routing, asked: Routing, workspace: ObjectRef, group: DesiredGroup | None, parents: tuple[Parent, ...]
) -> str:
    """Return that the path in the spec is that of the group, as a warning; empty if it is not.

    `wanted` is the routing of the spec, and `asked` what `without_path_of_group` returns for it.
    """
    if group is None:
        return ""
    path = f"gateway.match.path {wanted.path} is that of group {group.records.name}"
    if wanted.path != asked.path:
        return f"{path}; {workspace} itself has {asked.path}"
    own = _claims((wanted.path, ""), wanted, parents)
    beyond = sorted(_title(claim) for claim in own - group.claims)
    if not beyond or not own & group.claims:
        return ""
    return f"{path}, but not on {', '.join(beyond)}; {workspace} keeps it until the group has its Gateways and host names"


def _is_kept(match: _Match, asked: Routing, group: DesiredGroup, parents: tuple[Parent, ...], live: HTTPRoute | None) -> bool:
    """Whether a member keeps a match: the group does not have it, or the member's own route does and is needed for it.

    It is needed until the group's route answers, and where that has the match on some of the Gateways and host names only, on the others.
    A member whose route does not have the match so far gets it on none, because its route may be the older one, which answers.
    """
    own = _claims(match, asked, parents)
    shared = own & group.claims
    if not shared:
        return True
    is_needed = shared != own or not _has(group.live_route, match) or not _is_accepted(group, live)
    return _has(live, match) and is_needed


def _claims(match: _Match, asked: Routing, parents: tuple[Parent, ...]) -> frozenset[RouteClaim]:
    return frozenset(claim for claim in asked.claims(parents) if (claim.path, claim.header) == match)


def _title(claim: RouteClaim) -> str:
    return f"{claim.place} for {claim.hostname}" if claim.hostname else claim.place


def _has(route: HTTPRoute | None, match: _Match) -> bool:
    rules = route.rules if route is not None and not route.meta.deleting else ()
    return any(
        found.path == match[0] and found.headers == tuple(filter(None, match[1:])) for rule in rules for found in rule.matches
    )


def _is_accepted(group: DesiredGroup, live: HTTPRoute | None) -> bool:
    """Whether the Gateways that have accepted `live` have accepted the group's route as it is, as far as they report status.

    Nobody gets an answer from the others, which may never accept anything.
    """
    route, parents = group.live_route, group.routing.parents if group.routing is not None else ()
    return route is not None and all(
        (entry := status_from(parent, route)) is not None and entry.says("Accepted", route.meta.generation)
        for parent in parents
        if parent.writes_status and _has_accepted(parent, live)
    )


def _has_accepted(parent: Parent, live: HTTPRoute | None) -> bool:
    """Whether a Gateway has accepted a route on any listener, be it as it was before its last change."""
    said = (
        entry.condition("Accepted")
        for entry in (live.parents if live is not None else ())
        if entry.parent.ref == parent.gateway.ref
    )
    return any(condition is not None and condition.is_true for condition in said)
