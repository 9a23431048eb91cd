"""What a member that is a canary does in a pass: its next state, and what is to be counted for that."""

from collections.abc import Iterable, Iterator, Sequence

from workspace_ctrl.api.labels import CANARY_ANNOTATION
from workspace_ctrl.model.canary import CanaryCount, CanaryDecision, CanaryPhase, CanaryTarget, CountingServer
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.planning.steps import CountRequests, Step
from workspace_ctrl.planning.traffic.canary import Observed, advance
from workspace_ctrl.planning.traffic.members import GroupMember

_READINGS = 20
"""In an interval."""
_SHORTEST, _LONGEST = 1.0, 15.0
"""Seconds between two readings."""
_MOST_SERVERS = 32
"""Pods of a member that are read: so many show what it does."""
_DEFAULT_PORT = 5000
"""Of model servers, as KAITO has it."""


def decide_canary(own: GroupMember | None, annotation: str, count: CanaryCount | None) -> CanaryDecision | None:
    """Return the next state of a member that is a canary; None for others."""
    if own is None or own.canary is None:
        return None
    if own.gateway is None:  # it stays where it is until its spec is valid
        return CanaryDecision(own.canary, own.state) if own.state is not None else None
    return advance(own.state, own.canary, Observed(count, own.is_ready and not own.is_held, annotation))


def counting_steps(
    decision: CanaryDecision | None,
    own: GroupMember | None,
    members: Sequence[GroupMember],
    records: GroupRecords,
    *,
    is_counting: bool,
) -> Iterator[Step]:
    """Yield the step that has requests counted, or that stops it; `is_counting` is whether they are counted now."""
    if decision is None or own is None or own.is_held or decision.state.phase is not CanaryPhase.PROGRESSING:
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
