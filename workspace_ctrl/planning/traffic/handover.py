"""A member whose own matches are those of its group: the group gets them, and the member gives them up without losing a request.

So an existing URL can be put in front of several versions: the Workspace that has the path `/<namespace>/<group>` becomes a member of the
group. Of two routes with the same match Gateways use the older one, so its own route answers until it gives the match up, and it does that
once the Gateways have accepted the route of the group.
"""

from dataclasses import replace

from workspace_ctrl.model.attachment_status import status_from
from workspace_ctrl.model.plan_decisions import Parent
from workspace_ctrl.model.route_claims import MODEL_HEADER
from workspace_ctrl.planning.gateway.route import Routing, path_of
from workspace_ctrl.planning.traffic.group_steps import DesiredGroup
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import ObjectRef

_Match = tuple[str, str]
"""Path prefix and header."""


def keeps_name(group: DesiredGroup | None, live: HTTPRoute | None) -> bool:
    """Whether `live`, a member's own route, still matches the name of the group in the header of the model name."""
    if group is None:
        return False
    match = ("/", f"{MODEL_HEADER}={group.records.name}")
    is_of_group = group.routing is None or match[1] in group.routing.asked.headers
    return is_of_group and _is_kept(match, group, live)


def without_path_of_group(
    asked: Routing, workspace: ObjectRef, group: DesiredGroup | None, parents: tuple[Parent, ...], live: HTTPRoute | None
) -> Routing:
    """Return the routing of a member with its default path instead of that of its group; `live` is its own route.

    As long as nobody else answers requests under that path, it stays. Where Gateways or host names of the member are others than those of
    the group, the paths are different ones.
    """
    if group is None or not asked.path:
        return asked
    shared = asked.claims(parents) & group.claims
    if not any(claim.path == asked.path and not claim.header for claim in shared) or _is_kept((asked.path, ""), group, live):
        return asked
    return replace(asked, path=path_of(workspace.namespace, workspace.name))


def _is_kept(match: _Match, group: DesiredGroup, live: HTTPRoute | None) -> bool:
    return _has(live, match) and not (_has(group.live_route, match) and _is_accepted(group))


def _has(route: HTTPRoute | None, match: _Match) -> bool:
    rules = route.rules if route is not None and not route.meta.deleting else ()
    return any(
        found.path == match[0] and found.headers == tuple(filter(None, match[1:])) for rule in rules for found in rule.matches
    )


def _is_accepted(group: DesiredGroup) -> bool:
    """Whether the controllers of the group's Gateways have accepted its route as it is, as far as they report status."""
    route, parents = group.live_route, group.routing.parents if group.routing is not None else ()
    return route is not None and all(
        (entry := status_from(parent, route)) is not None and entry.says("Accepted", route.meta.generation)
        for parent in parents
        if parent.writes_status
    )
