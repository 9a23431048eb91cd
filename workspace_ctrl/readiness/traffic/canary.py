"""How far a canary is, as a condition of its own and in the status."""

from typing import Final

from workspace_ctrl.api.conditions import CANARY_NOT_READY, Status
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.traffic.group_status import CanaryStatus
from workspace_ctrl.model.canary import CanaryDecision, CanaryPhase
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link

_LONGEST: Final = 1024
_WAITING: Final = frozenset({"CanaryFiguresUnknown", CANARY_NOT_READY, "CanaryWaitsForRequests", "CanaryWithoutRequests"})
"""Reasons for which a step goes on without an end in sight."""
_KEPT: Final = (
    "but keeps its requests, because no other member of the group has a weight; "
    "give one a weight, or change the model server of this one, or promote it"
)


def canary_link(decision: CanaryDecision) -> Link:
    """Return how far a canary is: False if it was stopped, Unknown while its step cannot be judged."""
    state, steps = decision.state, len(decision.plan.steps)
    if state.phase is CanaryPhase.STOPPED:
        where = f"stopped in step {state.step + 1} of {steps}"
        share = _KEPT if decision.name in decision.weights else "and gets no requests any more"
        return Link.broken(LinkName.CANARY, state.reason, f"{where}, {share}: {state.message}")
    if state.phase is CanaryPhase.PROMOTED:
        return Link.true(LinkName.CANARY, state.reason, f"{_share_of_promoted(decision)}; {state.message}")
    share = f"step {state.step + 1} of {steps}: {state.percent(decision.plan)} % of the requests, for {decision.plan.interval:g} s at least"
    before = f"; in the step before: {state.message}" if state.message else ""
    text = f"{share}; {decision.remark}{before}" if decision.remark else f"{share}{before}"
    if state.reason in _WAITING:
        return Link(LinkName.CANARY, Status.UNKNOWN, state.reason, text)
    return Link.true(LinkName.CANARY, state.reason, text)


def _share_of_promoted(decision: CanaryDecision) -> str:
    """Return which requests a canary gets that was promoted: others may have been promoted after it, or are tried now."""
    weights = decision.weights
    if not weights or list(weights) == [decision.name]:
        return "gets all requests of the group"
    if decision.name not in weights:
        return f"was promoted; now all requests of the group go to {', '.join(weights)}"
    listed = ", ".join(f"{name} {weight}" for name, weight in weights.items())
    return f"was promoted; requests of the group by weight: {listed}"


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
        promotion=state.promotion or None,
    )
