"""The steps of a canary: from what was counted of it and of the other members, to the share of requests that it gets next.

A step lasts for an interval at least. A breach ends the canary at once if it is beyond chance, and else at the end of the interval; a step
with too few requests, or without figures, is made longer. Figures that are not known keep a canary from going on, and from nothing else:
errors beyond chance among the requests that were counted stop it, whatever happened to others. The step, and how it ended, are in the
status; what was counted is not, so a controller that restarts begins the interval of the same step anew.
"""

from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.api.conditions import CANARY_BEGUN, CANARY_NOT_READY
from workspace_ctrl.model.canary import (
    CanaryCount,
    CanaryDecision,
    CanaryPhase,
    CanaryPlan,
    CanaryState,
    Figures,
)

LEAST_REQUESTS: Final = 20
"""Requests to the canary, and answers of both sides, from which a step is judged."""
LEAST_ERRORS: Final = 3
"""Failed requests from which a canary is stopped before the end of an interval: the figures are looked at again and again, and one of the
first requests may always fail."""
MOST_REJECTED: Final = 0.5
"""Part of rejected requests that is too large if there are no requests to the other members with which it could be compared."""
PROMOTE: Final = "promote"
ABORT: Final = "abort"
WITHOUT_REQUESTS: Final = "CanaryWithoutRequests"
"""Reason of a canary that is ready, and gets no requests all the same."""
_NOT_READY: Final = "it is not ready, or some of its pods are of an earlier version"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the next state of a canary depends on, besides the state in its status."""

    count: CanaryCount | None = None
    """None while nothing is counted."""
    is_ready: bool = True
    wish: str = ""
    """What the annotation of the author says: `promote-<revision>`, `abort-<revision>`, or nothing."""
    has_wanted_pods: bool = True
    """Whether its workloads are as its spec wants them, and their controllers have seen that; a canary does not begin before."""
    promotions: int = 0
    """Number of the last promotion of another canary of the group."""


def advance(state: CanaryState | None, plan: CanaryPlan, observed: Observed) -> CanaryDecision:
    """Return the next state of a canary; `state` is that in the status, None without one."""
    is_new = state is None or state.revision != plan.revision
    if state is None or is_new:
        state = CanaryState(plan.revision)
    wanted = _wanted(state, observed)
    if wanted is not None or state.phase is not CanaryPhase.PROGRESSING:
        return CanaryDecision(plan, wanted or state)
    count = observed.count if observed.count is not None and observed.count.step == state.step_id else None
    breach = _certain_breach(plan, count) if count is not None else None
    if breach is not None:
        return _stopped(plan, state, *breach)
    if not observed.is_ready or ((is_new or state.is_waiting) and not observed.has_wanted_pods):
        return CanaryDecision(plan, replace(state, reason=CANARY_NOT_READY), _NOT_READY)
    if count is None:  # as after a restart of the controller
        is_over = state.reason in {CANARY_NOT_READY, WITHOUT_REQUESTS}
        return CanaryDecision(plan, replace(state, reason=CANARY_BEGUN) if is_over else state)
    return _counted(state, plan, count, observed.promotions)


def _stopped(plan: CanaryPlan, state: CanaryState, reason: str, message: str) -> CanaryDecision:
    return CanaryDecision(plan, replace(state, phase=CanaryPhase.STOPPED, reason=reason, message=message))


def _promoted(state: CanaryState, message: str, promotions: int) -> CanaryState:
    return replace(state, phase=CanaryPhase.PROMOTED, reason="CanaryPromoted", message=message, promotion=promotions + 1)


def _wanted(state: CanaryState, observed: Observed) -> CanaryState | None:
    """Return the state that the author wants; None if that is up to the figures."""
    if observed.wish == f"{PROMOTE}-{state.revision}":
        return state if state.phase is CanaryPhase.PROMOTED else _promoted(state, "by its author", observed.promotions)
    if observed.wish == f"{ABORT}-{state.revision}":
        is_so = state.phase is CanaryPhase.STOPPED
        return state if is_so else replace(state, phase=CanaryPhase.STOPPED, reason="CanaryAborted", message="by its author")
    return None


def _counted(state: CanaryState, plan: CanaryPlan, count: CanaryCount, promotions: int) -> CanaryDecision:
    """Return the next state of a canary of which nothing is certain yet."""
    if count.unknown or count.canary is None:
        return CanaryDecision(plan, replace(state, reason="CanaryFiguresUnknown") if count.unknown else state, count.unknown)
    others = count.others or Figures()
    is_over, is_judged = count.seconds >= plan.interval, count.canary.requests >= LEAST_REQUESTS
    breach = _breach(plan, count.canary, others, is_comparable=not count.unknown_others) if is_over and is_judged else None
    if breach is not None:
        return _stopped(plan, state, *breach)
    if count.unknown_others and plan.max_latency_ratio != float("inf"):
        return CanaryDecision(plan, replace(state, reason="CanaryFiguresUnknown"), count.unknown_others)
    if not is_over:
        is_waiting = state.reason == "CanaryWaitsForRequests" and not is_judged
        return CanaryDecision(plan, state if is_waiting else replace(state, reason=CANARY_BEGUN))
    if not is_judged:
        remark = f"fewer than {LEAST_REQUESTS} requests in {plan.interval:.0f} s, so the step lasts longer"
        return CanaryDecision(plan, replace(state, reason="CanaryWaitsForRequests"), remark)
    return CanaryDecision(plan, _next(state, plan, _figures(count.canary, others), promotions))


def _next(state: CanaryState, plan: CanaryPlan, message: str, promotions: int) -> CanaryState:
    if state.step + 1 >= len(plan.steps):
        return _promoted(state, message, promotions)
    return replace(state, step=state.step + 1, reason=CANARY_BEGUN, message=message)


def _certain_breach(plan: CanaryPlan, count: CanaryCount) -> tuple[str, str] | None:
    """Return reason and message of a breach that is beyond chance, at whatever time; None if there is none."""
    canary, others = count.canary or Figures(), count.others or Figures()
    if count.crashed:
        return "CanaryCrashed", count.crashed
    if canary.errors >= LEAST_ERRORS and canary.certain_error_rate > plan.max_error_rate:
        return "CanaryErrors", _errors(plan, canary)
    if canary.rejected >= LEAST_ERRORS and canary.rejection_rates[0] > others.rejection_rates[1] + plan.max_error_rate:
        return "CanaryRejects", f"{_rejected(canary)}, of those to the other members {others.rejected} of {others.requests}"
    return None


def _breach(plan: CanaryPlan, canary: Figures, others: Figures, *, is_comparable: bool) -> tuple[str, str] | None:
    """Return reason and message of a breach at the end of an interval; None if there is none."""
    if canary.error_rate > plan.max_error_rate:
        return "CanaryErrors", _errors(plan, canary)
    if not others.requests and canary.rejection_rates[0] > MOST_REJECTED:
        return "CanaryRejects", f"{_rejected(canary)} (at most {MOST_REJECTED:.0%}, without requests to other members to compare)"
    is_comparable = is_comparable and min(canary.answers, others.answers) >= LEAST_REQUESTS
    if is_comparable and canary.latency > plan.max_latency_ratio * others.latency:
        words = f"answers take {canary.latency:.3f} s, those of the other members {others.latency:.3f} s"
        return "CanaryLatency", f"{words} (at most {plan.max_latency_ratio:g} times as long)"
    return None


def _errors(plan: CanaryPlan, canary: Figures) -> str:
    return f"{canary.errors} of {canary.requests} requests failed ({canary.error_rate:.1%}, at most {plan.max_error_rate:.1%})"


def _rejected(canary: Figures) -> str:
    return f"{canary.rejected} of {canary.requests} requests were rejected with a status of 4xx"


def _figures(canary: Figures, others: Figures) -> str:
    mine = f"{canary.requests} requests, {canary.error_rate:.1%} failed, {canary.latency:.3f} s"
    return f"{mine}; others: {others.requests} requests, {others.error_rate:.1%} failed, {others.latency:.3f} s"
