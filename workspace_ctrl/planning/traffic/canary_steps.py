"""What a member that is a canary does in a pass: its next state, and what is to be counted for that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from workspace_ctrl.api.labels import CANARY_ANNOTATION
from workspace_ctrl.model.canary import CanaryDecision, CanaryPhase, CanaryTarget, CountingServer
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.planning.steps import CountRequests, Step
from workspace_ctrl.planning.traffic.canary import WITHOUT_REQUESTS, Observed, advance
from workspace_ctrl.planning.traffic.group_route import GroupRouting
from workspace_ctrl.planning.traffic.members import GroupMember, weights_now

_READINGS = 20
"""In an interval."""
_SHORTEST, _LONGEST = 1.0, 15.0
"""Seconds between two readings."""
_MOST_SERVERS = 32
"""Pods of a member that are read: so many show what it does."""
_DEFAULT_PORT = 5000
"""Of model servers, as KAITO has it."""


def decide_canary(
    own: GroupMember | None,
    members: Sequence[GroupMember],
    routed: GroupRouting | None,
    observed: Observed,
    live: Mapping[str, int],
) -> CanaryDecision | None:
    """Return the next state of a member that is a canary; None for others.

    `routed` is how the requests of the group are divided now, None while that is not known, and `live` are the weights of its route.
    Of what is `observed`, whether the canary is ready is added here.
    """
    if own is None or own.canary is None:
        return None
    if own.gateway is None:  # it stays where it is until its spec is valid
        decision = CanaryDecision(own.canary, own.state) if own.state is not None else None
    else:
        is_ready = own.is_ready and not own.has_mixed_pods
        others = [each.state for each in members if each.state is not None and each.meta.ref != own.meta.ref]
        promotions = max((state.promotion for state in others), default=0)
        decision = advance(own.state, own.canary, replace(observed, is_ready=is_ready, promotions=promotions))
    return _routed(decision, own, members, routed, live) if decision is not None else None


def _routed(
    decision: CanaryDecision, own: GroupMember, members: Sequence[GroupMember], routed: GroupRouting | None, live: Mapping[str, int]
) -> CanaryDecision:
    """Return a decision with the weights that follow from it; a step in which the canary gets nothing cannot be judged."""
    if routed is None:
        return replace(decision, name=own.name)
    then = [replace(each, state=decision.state) if each.meta.ref == own.meta.ref else each for each in members]
    weights = replace(routed, weights=weights_now(then) or live).effective  # without weights, the route stays as it is
    state = decision.state
    if state.phase is CanaryPhase.PROGRESSING and not state.is_waiting and weights and own.name not in weights:
        remark = f"it gets none of them, because all requests of the group go to {', '.join(weights)}"
        decision = replace(decision, state=replace(state, reason=WITHOUT_REQUESTS), remark=remark)
    return replace(decision, name=own.name, weights=weights)


def counting_steps(
    decision: CanaryDecision | None,
    own: GroupMember | None,
    members: Sequence[GroupMember],
    records: GroupRecords,
    *,
    is_counting: bool,
) -> Iterator[Step]:
    """Yield the step that has requests counted, or that stops it; `is_counting` is whether they are counted now."""
    if decision is None or own is None or own.has_mixed_pods or decision.state.phase is not CanaryPhase.PROGRESSING:
        yield from (CountRequests(None),) if is_counting else ()
        return
    weights = records.route.weights if records.route is not None else {}
    pools = {member.name: member.pool for member in members}
    rest = [each for each in records.members if each.workspace.meta.ref.name in weights and each.workspace.meta.ref != own.meta.ref]
    mine = next(each for each in records.members if each.workspace.meta.ref == own.meta.ref)
    yield CountRequests(
        CanaryTarget(
            step=decision.state.step_id,
            period=min(max(decision.plan.interval / _READINGS, _SHORTEST), _LONGEST),
            is_routed=own.is_ready
            and own.name in weights
            and own.state is not None
            and own.state.step_id == decision.state.step_id,
            canary=tuple(_servers(mine, own.pool)),
            others=tuple(server for each in rest for server in _servers(each, pools.get(each.workspace.meta.ref.name, ""))),
        )
    )


def annotation_of(records: GroupRecords, own: GroupMember | None) -> str:
    """Return what the author of a canary wants of it."""
    found = (each.workspace.annotations for each in records.members if own is not None and each.workspace.meta.ref == own.meta.ref)
    return next((annotations.get(CANARY_ANNOTATION, "") for annotations in found), "")


def _servers(records: MemberRecords, pool: str) -> Iterable[CountingServer]:
    """Return the model servers behind a member's pool, the first ones by name."""
    there = next((each for each in records.pools if each.ref.name == pool), None)
    if there is None:
        return ()
    pods = sorted(
        (pod for pod in records.pods if pod.matches(there.selector) and not pod.has_ended), key=lambda pod: pod.meta.ref.name
    )
    return (
        CountingServer(pod.meta.uid, pod.meta.ref.name, pod.address if pod.ready else "", there.port or _DEFAULT_PORT, pod.restarts)
        for pod in pods[:_MOST_SERVERS]
    )
