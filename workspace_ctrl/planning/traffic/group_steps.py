"""The steps to the route of a group, and the problems that its members report.

Each member plans and applies the whole route, from the same observed objects, so none depends on another one's passes. A member that leaves
the group, or is deleted, plans it as well, without itself; the last one deletes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from workspace_ctrl.model.canary import CanaryCount
from workspace_ctrl.model.groups import GroupRecords
from workspace_ctrl.model.plan_decisions import GroupDecision, LinkName, Problem
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.gateway.parents import Chosen, Cluster, choose_parents, parents_of
from workspace_ctrl.planning.gateway.route import routing
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.removal import delete_steps
from workspace_ctrl.planning.steps import Apply, Step
from workspace_ctrl.planning.traffic.canary import Observed
from workspace_ctrl.planning.traffic.canary_steps import annotation_of, counting_steps, decide_canary
from workspace_ctrl.planning.traffic.group_route import UNDIVIDED, GroupRouting, group_route, group_routing, has_header, routing_of
from workspace_ctrl.planning.traffic.members import (
    MOST_MEMBERS,
    GroupMember,
    differing,
    members_of,
    title,
    wants_header,
    weights_kept,
    weights_now,
)
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class DesiredGroup:
    """What the route of a group should be."""

    records: GroupRecords
    members: tuple[GroupMember, ...] = ()
    """Those that take part, the oldest first."""
    lead: GroupMember | None = None
    """The oldest one with a route of its own, whose Gateways, host names and timeout are the group's; None if there is none."""
    chosen: Chosen = field(default_factory=Chosen)
    routing: GroupRouting | None = None
    """None while the Gateways are not known."""

    @property
    def claims(self) -> frozenset[RouteClaim]:
        """The matches of the group's route, as claims on listeners."""
        return self.routing.asked.claims(self.routing.parents) if self.routing is not None else frozenset()

    @property
    def live_route(self) -> HTTPRoute | None:
        """The route of the group, if it exists and is ours."""
        return self.records.route if self.records.has_own_route else None

    @property
    def route_created(self) -> str:
        """Creation time of that route, as text that sorts by time; empty without one."""
        return self.live_route.created if self.live_route is not None else ""

    @property
    def since(self) -> str:
        """Since when the group counts as claimant, as text that sorts by time: as long as its route, or its oldest member, exists.

        So it keeps its requests when the oldest member is replaced. The API server sets both times, and, as with a Workspace, changes of
        what is claimed do not count. Empty without members.
        """
        times = filter(None, (self.route_created, self.members[0].created)) if self.members else ()
        return min(times, default="")

    def has(self, workspace: ObjectRef) -> bool:
        """Whether a Workspace or InferenceSet takes part."""
        return any(member.meta.ref == workspace for member in self.members)


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """The next steps for the route of a group, and what a member reports about it."""

    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    decision: GroupDecision | None = None


def desire_group(namespace: str, records: GroupRecords, settings: PlanSettings, cluster: Cluster) -> DesiredGroup:
    """Return what the route of a group in `namespace` should be; `cluster` has no route of a member."""
    members = members_of(records, settings)[:MOST_MEMBERS] if settings.gateway_extension else ()
    lead = next((member for member in members if member.has_own_route), None)
    if lead is not None:
        chosen = choose_parents(namespace, lead.gateway, settings, replace(cluster, route=lead.route))
        own, by_header = routing(lead.meta.ref, lead.gateway, lead.pool, (), settings), wants_header(lead)
    elif members and records.route is not None and records.has_own_route:  # its route stays as it is, but for its members
        chosen = parents_of(records.route, settings, cluster)
        own, by_header = routing_of(records.route, settings), has_header(records.route)
    else:
        return DesiredGroup(records, members)
    if not chosen.parents:
        return DesiredGroup(records, members, lead, chosen)
    asked = group_routing(namespace, records.name, own, chosen.parents, by_header=by_header)
    pools = {member.name: member.pool for member in members}
    wanted = GroupRouting(namespace, records.name, chosen.parents, asked, weights_now(members), pools)
    return DesiredGroup(records, members, lead, chosen, wanted)


def plan_group(
    desired: DesiredGroup,
    workspace: ObjectRef,
    taken: Mapping[RouteClaim, str],
    accepted_drift: Mapping[ObjectRef, Fields],
    count: CanaryCount | None = None,
    *,
    has_wanted_pods: bool = True,
) -> GroupPlan:
    """Return the next steps for the route of a group, and what `workspace`, a member or a former one, reports.

    `taken` is what others have of the group's claims; `count` is what is counted for it as a canary, and `has_wanted_pods` whether its
    workloads are as its spec wants them.
    """
    records, routed = desired.records, desired.routing
    own = next((member for member in desired.members if member.meta.ref == workspace), None)
    observed = Observed(count, has_wanted_pods=has_wanted_pods, wish=annotation_of(records, own))
    canary = decide_canary(own, desired.members, routed, observed, records.route.weights if records.route is not None else {})
    taken = {claim: holder for claim, holder in taken.items() if claim in desired.claims}
    blocking = _blocking(desired)
    problems = (*filter(None, (blocking,)), *_problems(desired, workspace, taken))
    decision = GroupDecision(
        records.name,
        parents=routed.parents if routed is not None else (),
        hostnames=routed.asked.hostnames if routed is not None else (),
        path=routed.asked.without(taken).path if routed is not None else "",
        members=tuple(member.share for member in desired.members),
        canary=canary,
    )
    steps = () if blocking is not None else tuple(_steps(desired, taken, accepted_drift))
    counting = counting_steps(canary, own, desired.members, records, is_counting=count is not None)
    return GroupPlan((*steps, *counting), problems, decision)


def plan_groups(
    groups: Sequence[DesiredGroup],
    workspace: WorkspaceRecord,
    taken: Mapping[str, Mapping[RouteClaim, str]],
    accepted_drift: Mapping[ObjectRef, Fields],
    count: CanaryCount | None = None,
    *,
    has_wanted_pods: bool = True,
) -> GroupPlan:
    """Return the next steps for the route of the group of `workspace`, and for those that it has left; it reports only on the former.

    `taken` is what others have of the claims of each group, by its name; `count` is what is counted for it as a canary, and
    `has_wanted_pods` whether its workloads are as its spec wants them.
    """
    counts = [count if group.records.name == workspace.group else None for group in groups]
    plans = [
        plan_group(
            group,
            workspace.meta.ref,
            taken.get(group.records.name, {}),
            accepted_drift,
            counted,
            has_wanted_pods=has_wanted_pods,
        )
        for group, counted in zip(groups, counts, strict=True)
    ]
    told = (found for group, found in zip(groups, plans, strict=True) if group.records.name == workspace.group)
    own = next(told, GroupPlan())
    return replace(own, steps=tuple(step for found in plans for step in found.steps))


def _steps(desired: DesiredGroup, taken: Mapping[RouteClaim, str], accepted_drift: Mapping[ObjectRef, Fields]) -> Iterator[Step]:
    live = desired.records.route
    if not desired.members:
        yield from delete_steps(live.meta) if live is not None else ()
        return
    routed = _routed_now(desired)
    if routed is None:
        return  # it stays as it is until more is known
    granted = routed.asked.without(taken)
    if not granted.leads_anywhere:
        yield from delete_steps(live.meta) if live is not None else ()
        return
    manifest = group_route(routed, granted, desired.members)
    if live is None:
        yield Apply(manifest, LinkName.GROUP, force=False)
    elif live.meta.deleting:
        return
    elif live.meta.applied_hash != applied_hash(manifest):
        yield Apply(manifest, LinkName.GROUP, force=True)
    elif not is_ours(manifest, live.meta.owned) and accepted_drift.get(live.ref) != live.meta.owned:
        yield Apply(manifest, LinkName.GROUP, force=True, repairs=True)


def _routed_now(desired: DesiredGroup) -> GroupRouting | None:
    """Return the routing that the route gets now; None if it stays as it is.

    Who gets requests is decided when all members are known. One that leaves does not wait for that: the others share its requests.
    """
    routed = desired.routing
    if routed is None:
        return None
    now = desired.live_route.weights if desired.live_route is not None else {}
    if all(member.is_observed for member in desired.records.members):
        kept = weights_kept(desired.members, now) if not routed.weights else {}
        return replace(routed, weights=kept) if kept else routed
    stay = {member.name: now[member.name] for member in desired.members if member.name in now}
    return replace(routed, weights=stay or routed.weights) if now and stay != now else None


def _blocking(desired: DesiredGroup) -> Problem | None:
    """Return why the group's route can neither be applied nor deleted."""
    records, live = desired.records, desired.records.route
    if records.namesake is not None and live is None:
        text = f"{records.namesake} has the name of group {records.name}, so its route has it, too; rename one of them"
        return _problem("GroupNameTaken", text)
    if live is not None and not records.has_own_route:
        text = f"{live.ref}, whose name the group's route needs, is not of group {records.name}; delete it, or rename the group"
        return _problem("GroupNameTaken", text)
    unknown = live.owners - {member.workspace.meta.uid for member in records.members} if live is not None else frozenset()
    if records.is_shard and unknown:
        text = (
            f"group {records.name} has a member that another process reconciles, because the shard selector of this one "
            "does not select it; give all members the labels that one process selects"
        )
        return _problem("GroupSpansShards", text)
    return None


def _problems(desired: DesiredGroup, workspace: ObjectRef, taken: Mapping[RouteClaim, str]) -> Iterator[Problem]:
    """Yield the problems that this member reports about the group."""
    own = next((member for member in desired.members if member.meta.ref == workspace), None)
    name, lead = desired.records.name, desired.lead
    if own is None:
        if len(desired.members) == MOST_MEMBERS:  # else its spec is not valid, which its other conditions say
            yield _problem("TooManyGroupMembers", f"group {name} has more than {MOST_MEMBERS} members; the oldest ones take part")
        return
    if lead is None:
        text = f"every member of group {name} has gateway.httpRouteRef; let one have a route of its own, whose Gateways the group's gets"
        yield _problem("GroupWithoutGateway", text)
        return
    yield from (replace(problem, link=LinkName.GROUP) for problem in desired.chosen.problems)
    yield from _of_weights(desired)
    if taken:
        holders = sorted(set(taken.values()))
        text = f"requests of group {name} are already routed to {', '.join(holders)}, which is older; rename the group"
        yield _problem("GroupRouteConflict", text)
    fields = list(differing(lead, own))
    if fields:
        verb = "differs from that" if len(fields) == 1 else "differ from those"
        text = f"{', '.join(fields)} {verb} of {title(lead.meta.ref)}, the oldest member of group {name}, which the group has"
        yield _problem("GroupMembersDiffer", f"{text}; set the same in all members")
    yield from _of_names(desired)


def _of_weights(desired: DesiredGroup) -> Iterator[Problem]:
    name, routed = desired.records.name, desired.routing
    if routed is None:
        return
    if not routed.weights and not any(member.is_changing for member in desired.members):
        yield _problem("GroupWithoutWeight", f"no member of group {name} has a weight, {_without_weight(desired)}")
    elif routed.weights and routed.division == UNDIVIDED and routed.effective != routed.weights:
        classes = ", ".join(dict.fromkeys(parent.class_title for parent in routed.parents if parent.divides == UNDIVIDED))
        text = f"{classes} cannot divide requests among members, so all of group {name} go to {next(iter(routed.effective))}"
        yield _problem("TrafficNotDivisible", f"{text}; use another GatewayClass, or give only one member a weight")


def _without_weight(desired: DesiredGroup) -> str:
    """Return what becomes of the requests where no member has a weight, and what to do."""
    now = desired.live_route.weights if desired.live_route is not None else {}
    kept = weights_kept(desired.members, now)
    canaries = [member for member in desired.members if member.canary is not None]
    shown = f"so {' and '.join(kept)} keeps its requests" if kept else "so the Gateway answers its requests with an error"
    plain = next((member for member in desired.members if member.canary is None), None)
    if plain is not None:
        return f"{shown}; set gateway.group.weight of {title(plain.meta.ref)} above 0"
    told = f"promote it (workspace-ctrl promote {canaries[0].name}), or change its model server, with which it begins again"
    return f"{shown}; let another member have a weight, or {told}"


def _of_names(desired: DesiredGroup) -> Iterator[Problem]:
    """Yield that the members have no model name in common, so that a request fails at some of them whatever name it has."""
    known = [member for member in desired.members if member.model_names]
    needed = set(desired.routing.asked.headers) if desired.routing is not None else set()
    common = set.intersection(*(set(member.model_names) for member in known)) if known else set()
    name = desired.records.name
    if known and needed and name not in common:
        lacking = _listed(member for member in known if name not in member.model_names)
        text = f"requests with the model name {name} fail at {lacking}; {_common_name(name)}"
        yield _problem("ModelNamesDiffer", text)
    elif known and not common:
        text = f"the members of group {name} have no model name in common: {_listed(known)}"
        yield _problem("ModelNamesDiffer", f"{text}; {_common_name(name)}")


def _common_name(name: str) -> str:
    return f"set gateway.aliases: [{name}], with which presets are started; start other model servers with that name as well"


def _listed(members: Sequence[GroupMember] | Iterator[GroupMember]) -> str:
    return ", ".join(f"{title(member.meta.ref)} ({', '.join(member.model_names[:3])})" for member in members)


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.GROUP, reason, message)
