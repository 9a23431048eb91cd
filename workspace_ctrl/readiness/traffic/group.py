"""Whether the endpoint that a Workspace shares with others is reached, and how its requests are divided.

This has its own condition and is no part of GatewayReady, which is about the Workspace's own path.
"""

from workspace_ctrl.api.traffic.group_status import GroupMemberStatus, GroupStatus
from workspace_ctrl.model.plan_decisions import GroupDecision, LinkName, MemberShare
from workspace_ctrl.readiness.address import urls_of
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.gateway import attachments
from workspace_ctrl.readiness.traffic.canary import canary_status
from workspace_ctrl.records.gateways import HTTPRoute


def group_link(decision: GroupDecision, route: HTTPRoute | None) -> Link:
    """Return whether the group's route is accepted by each Gateway, and any of the members that get its requests is ready."""
    name = decision.name
    if route is None or route.group != name or route.meta.deleting:
        return Link.waiting(LinkName.GROUP, "GroupRouteNotCreated", f"HTTPRoute of group {name} has not been created yet")
    accepted = attachments(LinkName.GROUP, route, decision.parents)
    if not accepted.holds:
        return accepted
    if not any(member.is_ready and member.ref.name in route.weights for member in decision.members):
        ready = [f"{member.ref.kind} {member.ref.name}" for member in decision.members if member.is_ready]
        without = f"; {', '.join(ready)} {'is' if len(ready) == 1 else 'are'} ready, without a weight" if ready else ""
        text = f"no member of group {name} that gets its requests is ready, so they are not answered{without}"
        return Link.broken(LinkName.GROUP, "NoReadyMember", text)
    url = next(iter(urls_of(decision.parents, decision.hostnames, decision.path)), "")
    served = f"group {name} is served at {url}" if url else f"group {name} is served"
    return Link.true(LinkName.GROUP, "GroupConfigured", f"{served}; weights: {_weights(route)}")


def group_status(decision: GroupDecision | None, route: HTTPRoute | None) -> GroupStatus | None:
    """Return the group for the status of a member; None without one."""
    if decision is None:
        return None
    there = route if route is not None and route.group == decision.name else None
    url = next(iter(urls_of(decision.parents, decision.hostnames, decision.path)), None) if there is not None else None
    members = tuple(_member(member, there) for member in decision.members)
    return GroupStatus(decision.name, url, members, canary_status(decision.canary))


def _member(member: MemberShare, route: HTTPRoute | None) -> GroupMemberStatus:
    return GroupMemberStatus(
        kind=member.ref.kind,
        name=member.ref.name,
        weight=None if member.is_fallback or member.is_canary else member.weight,
        current=route.weights.get(member.ref.name, 0) if route is not None else None,
        fallback=member.is_fallback or None,
        ready=member.is_ready,
    )


def _weights(route: HTTPRoute) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in route.weights.items())
