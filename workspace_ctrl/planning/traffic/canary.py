"""The steps of a canary: from what was counted of it and of the other members, to the share of requests that it gets next.

A step lasts for an interval at least. A breach ends the canary at once if it is beyond chance, and else at the end of the interval; a step
with too few requests, or without figures, is made longer. The step, and how it ended, are in the status; what was counted is not, so a
controller that restarts begins the interval of the same step anew.
"""

from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.model.canary import CanaryCount, CanaryDecision, CanaryPhase, CanaryPlan, CanaryState, Figures

LEAST_REQUESTS: Final = 20
"""Requests to the canary, and answers of both sides, from which a step is judged."""
LEAST_ERRORS: Final = 3
"""Failed requests from which a canary is stopped before the end of an interval: the figures are looked at again and again, and one of the
first requests may always fail."""
PROMOTE: Final = "promote"
ABORT: Final = "abort"
_BEGUN: Final = "CanaryInProgress"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the next state of a canary depends on, besides the state in its status."""

    count: CanaryCount | None = None
    """None while nothing is counted."""
    is_ready: bool = True
    wish: str = ""
    """What the annotation of the author says: `promote-<revision>`, `abort-<revision>`, or nothing."""


def advance(state: CanaryState | None, plan: CanaryPlan, observed: Observed) -> CanaryDecision:
    """Return the next state of a canary; `state` is that in the status, None without one."""
    if state is None or state.revision != plan.revision:
        state = CanaryState(plan.revision)
    wanted = _wanted(state, observed.wish)
    if wanted is not None:
        return CanaryDecision(plan, wanted)
    if state.phase is not CanaryPhase.PROGRESSING:
        return CanaryDecision(plan, state)
    count = observed.count if observed.count is not None and observed.count.step == state.step_id else None
    if count is not None and count.crashed:
        return CanaryDecision(plan, replace(state, phase=CanaryPhase.STOPPED, reason="CanaryCrashed", message=count.crashed))
    if not observed.is_ready:
        return CanaryDecision(
            plan, replace(state, reason="CanaryNotReady"), "it is not ready, or some of its pods are of an earlier version"
        )
    if count is None:  # as after a restart of the controller
        return CanaryDecision(plan, replace(state, reason=_BEGUN) if state.reason == "CanaryNotReady" else state)
    return _counted(state, plan, count)


def _wanted(state: CanaryState, wish: str) -> CanaryState | None:
    """Return the state that the author wants; None if that is up to the figures."""
    if wish == f"{PROMOTE}-{state.revision}":
        is_so = state.phase is CanaryPhase.PROMOTED
        return state if is_so else replace(state, phase=CanaryPhase.PROMOTED, reason="CanaryPromoted", message="by its author")
    if wish == f"{ABORT}-{state.revision}":
        is_so = state.phase is CanaryPhase.STOPPED
        return state if is_so else replace(state, phase=CanaryPhase.STOPPED, reason="CanaryAborted", message="by its author")
    return None


def _counted(state: CanaryState, plan: CanaryPlan, count: CanaryCount) -> CanaryDecision:
    unknown = count.unknown or (count.unknown_others if plan.max_latency_ratio != float("inf") else "")
    if unknown:
        return CanaryDecision(plan, replace(state, reason="CanaryFiguresUnknown"), unknown)
    if count.canary is None:
        return CanaryDecision(plan, state)
    others = count.others or Figures()
    is_over = count.seconds >= plan.interval
    breach = _breach(plan, count.canary, others, is_over=is_over)
    if breach is not None:
        return CanaryDecision(plan, replace(state, phase=CanaryPhase.STOPPED, reason=breach[0], message=breach[1]))
    if not is_over:
        is_waiting = state.reason == "CanaryWaitsForRequests" and count.canary.requests < LEAST_REQUESTS
        return CanaryDecision(plan, state if is_waiting else replace(state, reason=_BEGUN))
    if count.canary.requests < LEAST_REQUESTS:
        remark = f"fewer than {LEAST_REQUESTS} requests in {plan.interval:.0f} s, so the step lasts longer"
        return CanaryDecision(plan, replace(state, reason="CanaryWaitsForRequests"), remark)
    return CanaryDecision(plan, _next(state, plan, _figures(count.canary, others)))


def _next(state: CanaryState, plan: CanaryPlan, message: str) -> CanaryState:
    if state.step + 1 >= len(plan.steps):
        return replace(state, phase=CanaryPhase.PROMOTED, reason="CanaryPromoted", message=message)
    return replace(state, step=state.step + 1, reason=_BEGUN, message=message)


def _breach(plan: CanaryPlan, canary: Figures, others: Figures, *, is_over: bool) -> tuple[str, str] | None:
    """Return reason and message of a breach; None if there is none."""
    judged = is_over and canary.requests >= LEAST_REQUESTS
    is_certain = canary.errors >= LEAST_ERRORS and canary.certain_error_rate > plan.max_error_rate
    if is_certain or (judged and canary.error_rate > plan.max_error_rate):
        words = f"{canary.errors} of {canary.requests} requests failed ({canary.error_rate:.1%}, at most {plan.max_error_rate:.1%})"
        return "CanaryErrors", words
    if canary.rejected >= LEAST_ERRORS and canary.rejection_rates[0] > others.rejection_rates[1] + plan.max_error_rate:
        words = f"{canary.rejected} of {canary.requests} requests were rejected with a status of 4xx"
        return "CanaryRejects", f"{words}, of those to the other members {others.rejected} of {others.requests}"
    comparable = min(canary.answers, others.answers) >= LEAST_REQUESTS
    if judged and comparable and canary.latency > plan.max_latency_ratio * others.latency:
        words = f"answers take {canary.latency:.3f} s, those of the other members {others.latency:.3f} s"
        return "CanaryLatency", f"{words} (at most {plan.max_latency_ratio:g} times as long)"
    return None


def _figures(canary: Figures, others: Figures) -> str:
    mine = f"{canary.requests} requests, {canary.error_rate:.1%} failed, {canary.latency:.3f} s"
    return f"{mine}; others: {others.requests} requests, {others.error_rate:.1%} failed, {others.latency:.3f} s"
