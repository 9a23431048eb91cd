"""How far a canary is, as a condition of its own and in the status."""

from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.traffic.group_status import CanaryStatus
from workspace_ctrl.model.canary import CanaryDecision, CanaryPhase
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link

_LONGEST: Final = 1024
_WAITING: Final = frozenset({"CanaryFiguresUnknown", "CanaryNotReady", "CanaryWaitsForRequests"})
"""Reasons for which a step goes on without an end in sight."""


def canary_link(decision: CanaryDecision) -> Link:
    """Return how far a canary is: False if it was stopped, Unknown while its step cannot be judged."""
    state, steps = decision.state, len(decision.plan.steps)
    if state.phase is CanaryPhase.STOPPED:
        text = f"stopped in step {state.step + 1} of {steps}, and gets no requests any more: {state.message}"
        return Link.broken(LinkName.CANARY, state.reason, text)
    if state.phase is CanaryPhase.PROMOTED:
        return Link.true(LinkName.CANARY, state.reason, f"gets all requests of the group; {state.message}")
    share = f"step {state.step + 1} of {steps}: {state.percent(decision.plan)} % of the requests, for {decision.plan.interval:g} s at least"
    before = f"; in the step before: {state.message}" if state.message else ""
    text = f"{share}; {decision.remark}{before}" if decision.remark else f"{share}{before}"
    if state.reason in _WAITING:
        return Link(LinkName.CANARY, Status.UNKNOWN, state.reason, text)
    return Link.true(LinkName.CANARY, state.reason, text)


def canary_status(decision: CanaryDecision | None) -> CanaryStatus | None:
    """Return how far a canary is for the status, from which the controller goes on; None for others."""
    if decision is None:
        return None
    state = decision.state
    return CanaryStatus(
        revision=state.revision,
        phase=state.phase,
        step=state.step + 1,
        percent=state.percent(decision.plan),
        reason=state.reason,
        message=printable(state.message, _LONGEST) or None,
    )
