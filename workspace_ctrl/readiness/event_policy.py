"""Which changes of Ready, and of a canary, are worth an Event.

An Event is emitted when a Workspace becomes ready, is no longer ready, or fails during its start. Progress emits none, because the status
shows it, and neither does a deletion, which a user has requested.
"""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status, find
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.readiness.failure_reasons import FAILED_WHEN_FALSE, STARTING, WITHOUT_PODS

_BROKEN_THOUGH_MADE: Final = frozenset({"ProbeFailed", "ModelNameUnknown", "BodyRouterNotReady"})
"""Reasons of failed links that have no condition of their own."""
_DELETING: Final = "Deleting"
_NO_FIGURES: Final = "CanaryFiguresUnknown"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of Ready, or of a canary."""

    reason: str
    message: str
    is_failure: bool


def transition(old: WorkspaceStatus, new: WorkspaceStatus) -> Transition | None:
    """Return the change of Ready between `old` and `new` that is worth an Event, or None."""
    before, after = find(old.conditions, ConditionType.READY), find(new.conditions, ConditionType.READY)
    if after is None or after.reason == _DELETING:
        return None
    if before is not None and (before.status, before.reason) == (after.status, after.reason):
        return None
    if after.is_true:
        return None if before is not None and before.is_true else Transition(after.reason, after.message, is_failure=False)
    failed = has_failed(after, new)
    if failed:
        return Transition(after.reason, after.message, is_failure=True)
    if before is None or not before.is_true:
        return None
    asked_for = old.observed_generation != new.observed_generation
    return Transition(after.reason, after.message, is_failure=not asked_for)


def canary_transition(old: WorkspaceStatus, new: WorkspaceStatus) -> Transition | None:
    """Return the change of a canary between `old` and `new` that is worth an Event, or None: another step, its end, or missing figures."""
    after = find(new.conditions, ConditionType.CANARY_PROGRESSING)
    before = find(old.conditions, ConditionType.CANARY_PROGRESSING)
    if after is None or not new.canary_step:
        return None
    is_blind = after.reason == _NO_FIGURES and (before is None or before.reason != _NO_FIGURES)
    if old.canary_step == new.canary_step and not is_blind:
        return None
    return Transition(after.reason, after.message, is_failure=is_blind or after.status == Status.FALSE)


def has_failed(ready: Condition, status: WorkspaceStatus) -> bool:
    """Whether the link that Ready quotes has failed, and is not just in progress."""
    if find(status.conditions, ConditionType.STALLED) is not None:
        return True
    if ready.reason in _BROKEN_THOUGH_MADE:
        return True
    links = [find(status.conditions, type_) for type_ in FAILED_WHEN_FALSE]
    if any(link is not None and link.status == Status.FALSE and link.reason == ready.reason for link in links):
        return True
    accepted, inference = (
        find(status.conditions, type_) for type_ in (ConditionType.WORKLOAD_ACCEPTED, ConditionType.INFERENCE_READY)
    )
    runs_on = accepted is not None and accepted.is_true and inference is not None and not inference.is_true
    return runs_on and ready.reason not in STARTING | WITHOUT_PODS
