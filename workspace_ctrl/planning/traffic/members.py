"""The members of a group, and how many of the requests each of them gets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.gateway_spec import DEFAULT_WEIGHT, LARGEST_WEIGHT, Group
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.api.names import endpoint_picker_name, names
from workspace_ctrl.api.traffic.canary_spec import Canary, check_canary
from workspace_ctrl.api.workspace import GatewaySpec, check_gateway
from workspace_ctrl.model.canary import CanaryPhase, CanaryPlan, CanaryState
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.model.plan_decisions import MemberShare
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.traffic.canary_state import canary_plan, state_in
from workspace_ctrl.planning.traffic.shares import in_order, with_canary
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import WorkspaceRecord

MOST_MEMBERS = 8
"""An HTTPRoute can have 16 rules: one by path and one by header for each member."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a group, as far as the group's route depends on it."""

    meta: Meta
    created: str
    group: Group
    pool: str
    """Name of its InferencePool, to which its own route leads."""
    is_ready: bool
    gateway: GatewaySpec | None
    """None while its spec is not valid: it keeps its place in the group, but decides nothing."""
    route: HTTPRoute | None
    """Its own route."""
    is_rolling_out: bool = False
    """Whether its Deployment or StatefulSets have pods of an earlier version."""
    canary: CanaryPlan | None = None
    """The steps of a canary; None for others."""
    state: CanaryState | None = None
    """How far the canary is, as its status says; None before that says anything of it."""
    model_names: tuple[str, ...] = ()
    """As its model server has reported them; empty while they are not known."""

    @property
    def name(self) -> str:
        """Name of the Workspace or InferenceSet."""
        return self.meta.ref.name

    @property
    def weight(self) -> int:
        """As wanted; a fallback has none, and a canary its percentage."""
        if self.canary is not None:
            return self.percent
        if self.group.fallback:
            return 0
        return DEFAULT_WEIGHT if self.group.weight is None else self.group.weight

    @property
    def percent(self) -> int:
        """Share of a canary by the step in its status; without a status that of the first step.

        So all members come to the same weights, and a new process to those of the one before. Nothing while the status is about another
        version, whose pods are still there.
        """
        if self.canary is None or self.is_changing:
            return 0
        return (self.state or CanaryState(self.canary.revision)).percent(self.canary)

    @property
    def is_changing(self) -> bool:
        """Whether the status of a canary is about another version than its spec."""
        return self.canary is not None and self.state is not None and self.state.revision != self.canary.revision

    @property
    def has_mixed_pods(self) -> bool:
        """Whether some of the pods of a canary that is tried are of an earlier version."""
        is_tried = self.canary is not None and (self.state is None or self.state.phase is not CanaryPhase.PROMOTED)
        return self.is_rolling_out and is_tried

    @property
    def is_held(self) -> bool:
        """Whether a canary gets no requests because some of its pods may be of an earlier version.

        What its workload should be is known in its own pass only, so the status says when it is.
        """
        return self.has_mixed_pods or (self.canary is not None and self.state is not None and self.state.is_waiting)

    @property
    def share(self) -> MemberShare:
        """The member for the status."""
        return MemberShare(self.meta.ref, self.weight, self.group.fallback, self.is_ready, self.canary is not None)

    @property
    def has_own_route(self) -> bool:
        """Whether its Gateways, host names and matches are in its spec, and not in an HTTPRoute of the user."""
        return self.gateway is not None and self.gateway.http_route_ref is None


def members_of(records: GroupRecords, settings: PlanSettings) -> tuple[GroupMember, ...]:
    """Return the members of a group, the oldest first: all that name it, stay, and want a Gateway."""
    owners = records.route.owners if records.route is not None else frozenset[str]()
    found = (_member(each, owners, settings) for each in records.members if not each.workspace.meta.deleting)
    return tuple(member for member in found if member is not None)


def _member(records: MemberRecords, owners: frozenset[str], settings: PlanSettings) -> GroupMember | None:
    """Return a member; one whose spec is not valid is none, unless it owns the route of the group already."""
    workspace = records.workspace
    spec = _gateway_of(workspace, settings)
    if workspace.meta.ref.name == workspace.group or (spec is None and workspace.meta.uid not in owners):
        return None
    if spec is not None and not spec.enabled:
        return None
    pool = _pool(records, spec, settings)
    status = workspace.status.gateway
    group = (spec.group if spec is not None else None) or _group_of_invalid(workspace)
    told = status.group if status is not None else None
    return GroupMember(
        meta=workspace.meta,
        created=workspace.created,
        group=group,
        canary=canary_plan(workspace, group.canary, told, is_valid=spec is not None),
        state=state_in(told, workspace.group),
        pool=pool,
        is_ready=_is_ready(records, pool),
        is_rolling_out=any(each.has_old_pods for each in _model_servers(records)),
        gateway=spec,
        route=records.route,
        model_names=status.model_names if status is not None else (),
    )


def _model_servers(records: MemberRecords) -> Iterator[Workload]:
    """Yield the workloads of its model server: the Deployment of its name, or StatefulSets."""
    name = records.workspace.meta.ref.name
    yield from (each for each in records.deployments if each.ref.name == name)
    yield from records.stateful_sets


def _gateway_of(workspace: WorkspaceRecord, settings: PlanSettings) -> GatewaySpec | None:
    """Return the `gateway` field; None if it is not valid, or not allowed in this installation."""
    is_allowed = settings.restricted_fields and not workspace.meta.unreadable
    return _parsed(workspace.spec, workspace.meta.ref.kind) if is_allowed else None


@lru_cache(maxsize=128)
def _parsed(spec: bytes, kind: str) -> GatewaySpec | None:
    """Return the `gateway` field of a stored spec; cached, because each pass over a member needs those of all."""
    try:
        gateway = GatewaySpec.model_validate(dict(_gateway_fields(WorkspaceRecord(Meta(ObjectRef(kind, "", "")), spec))))
        check_gateway(gateway)
    except (ValidationError, SpecError):
        return None
    return gateway if gateway.group is not None else None


def _gateway_fields(workspace: WorkspaceRecord) -> Mapping[str, Any]:
    fields = workspace.fields()
    spec = fields.get("spec") if workspace.meta.ref.kind == SET_KIND else fields
    gateway = spec.get("gateway") if isinstance(spec, Mapping) else None
    return gateway if isinstance(gateway, Mapping) else {}


def _group_of_invalid(workspace: WorkspaceRecord) -> Group:
    """Return the `gateway.group` of a spec that is not valid; with the defaults for what is not valid in it."""
    given = _gateway_fields(workspace).get("group")
    given = given if isinstance(given, Mapping) else {}
    weight, fallback = given.get("weight"), given.get("fallback") is True
    is_weight = type(weight) is int and 0 <= weight <= LARGEST_WEIGHT and not fallback
    canary = _canary_of_invalid(given["canary"]) if given.get("canary") is not None else None
    return Group.model_construct(name=workspace.group, weight=weight if is_weight else None, fallback=fallback, canary=canary)


def _canary_of_invalid(given: object) -> Canary:
    """Return the canary of a spec that is not valid, which has the share that its status says; with the defaults if it is not valid."""
    try:
        canary = Canary.model_validate(given)
        check_canary(canary)
    except (ValidationError, SpecError):
        return Canary()
    return canary


def _pool(records: MemberRecords, spec: GatewaySpec | None, settings: PlanSettings) -> str:
    """Return the name of the pool to which the member's own route leads, which follows a new chart; without one, of that in the spec."""
    route, workspace = records.route, records.workspace
    if route is not None and route.meta.is_controlled_by(workspace.meta.uid) and route.rules and route.rules[0].pools:
        return route.rules[0].pools[0]
    if spec is not None and spec.pool_ref:
        return spec.pool_ref
    return names(workspace.meta.ref.name, chart_name(spec.chart if spec is not None else None, settings)).release


def _is_ready(records: MemberRecords, pool: str) -> bool:
    """Whether requests to the pool are answered: a ready pod matches it, and its endpoint picker, if it is the chart's, runs."""
    there = next((each for each in records.pools if each.ref.name == pool), None)
    if there is None or there.meta.deleting:
        return False
    picker = next((each for each in records.deployments if each.ref.name == endpoint_picker_name(pool)), None)
    runs = picker is None or picker.ready_replicas > 0
    return runs and any(pod.ready and pod.matches(there.selector) for pod in records.pods)


def weights_now(members: Sequence[GroupMember]) -> dict[str, int]:
    """Return the weights of the members that get requests now, all above 0, in the order of the members.

    They are divided among the members that are ready. If none is, the fallbacks that are ready get them; without those, requests go where
    they would go, so that the first member that becomes ready need not wait for a new route. Empty if no member has a weight, and none is a
    fallback.
    """
    ready = _shares(member for member in members if member.is_ready and not member.is_held)
    ready = ready or _shares(member for member in members if member.is_ready)
    fallbacks = [member for member in members if member.group.fallback]
    fallback = {member.name: DEFAULT_WEIGHT for member in fallbacks if member.is_ready}
    return ready or fallback or _shares(members) or {member.name: DEFAULT_WEIGHT for member in fallbacks}


def weights_kept(members: Sequence[GroupMember], now: Mapping[str, int]) -> dict[str, int]:
    """Return the weights in the route `now` that stay where no member has a weight: those of canaries.

    One that was stopped keeps what it has until another member has a weight, and so does one whose status is about an earlier version.
    """
    return {member.name: now[member.name] for member in members if member.canary is not None and member.name in now}


def _shares(members: Iterable[GroupMember]) -> dict[str, int]:
    """Return the weights of members, all above 0; canaries get theirs one after the other.

    Those that were promoted come first, in the order of that, because each of the others is tried against what has been promoted; then the
    others, the oldest first.
    """
    members = [member for member in members if member.weight]
    weights = {member.name: member.weight for member in members if member.canary is None}
    for member in sorted((member for member in members if member.canary is not None), key=_promotion):
        weights = with_canary(weights, member.name, member.percent)
    return in_order(weights, (member.name for member in members))


def _promotion(member: GroupMember) -> tuple[bool, int]:
    state = member.state
    return (False, state.promotion) if state is not None and state.phase is CanaryPhase.PROMOTED else (True, 0)


def heaviest(weights: Mapping[str, int]) -> str:
    """Return the member with the greatest weight, of equal ones the first."""
    return max(weights, key=lambda name: weights[name])


def differing(lead: GroupMember, member: GroupMember) -> Iterator[str]:
    """Yield the fields of `gateway` in which a member differs from the one whose fields the group's route has."""
    if member.gateway is None or lead.gateway is None or not member.has_own_route:
        return
    for path, one, other in (
        ("parentRefs", lead.gateway.parent_refs, member.gateway.parent_refs),
        ("hostnames", lead.gateway.hostnames, member.gateway.hostnames),
        ("timeout", lead.gateway.timeout, member.gateway.timeout),
        ("match.header", _by_header(lead.gateway), _by_header(member.gateway)),
    ):
        if (one or None) != (other or None):
            yield f"gateway.{path}"


def _by_header(spec: GatewaySpec) -> bool:
    return spec.match is not None and spec.match.header


def wants_header(member: GroupMember) -> bool:
    """Whether requests with the name of the group in the header of the model name are the group's, too."""
    return member.gateway is not None and _by_header(member.gateway)


def title(ref: ObjectRef) -> str:
    """Return a member for messages about its group, which is in one namespace."""
    return f"{ref.kind} {ref.name}"
