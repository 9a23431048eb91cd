"""How soon a changed status must be written.

A condition of a Workspace that was ready is written at once when it becomes False. While the Workspace is not ready anyway, one more link
that holds is only progress and can wait. Readiness, and a failure during the start, is written only if it still holds a moment later:
objects report that they are ready a little before requests are answered (an endpoint picker sees a pod some 100 ms after the API server
does), and a Gateway's controller that has not seen the pool yet reports a temporary failure. So a Workspace needs two or three status
writes, and a True is never premature. A step of a canary is written at once, because requests follow what the status says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.readiness.failure_reasons import FAILED_WHEN_FALSE, STARTING

_WHOLE = frozenset({ConditionType.READY, ConditionType.GATEWAY_READY})
"""Summary conditions: True only if all links hold."""
_RELIED_ON = frozenset({ConditionType.WORKLOAD_ACCEPTED, ConditionType.RESOURCE_READY, ConditionType.INFERENCE_READY})
"""Conditions that KAITO's users wait for, independent of the Gateway."""


class WriteTiming(Enum):
    """When a new status is to be written."""

    NEVER = "never"
    """Nothing changed."""
    FIRST = "first"
    """The first status, and not ready; if many Workspaces are created at once, their objects are written first."""
    LATER = "later"
    """Only progress."""
    SETTLED = "settled"
    """Written if it still holds a moment later."""
    NOW = "now"


@dataclass(frozen=True, slots=True)
class WriteDecision:
    """How a new status differs from the old one."""

    urgency: WriteTiming
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """(type, status, reason) of the conditions that must hold for a moment before they are written."""


def write_decision(old: WorkspaceStatus, new: WorkspaceStatus) -> WriteDecision:
    """Return how soon `new` must replace `old`."""
    if old == new:
        return WriteDecision(WriteTiming.NEVER)
    before = {condition.type: condition for condition in old.conditions}
    after = new.conditions
    if ConditionType.READY not in before:
        return _first_news(new)
    if old.observed_generation != new.observed_generation or old.canary_share != new.canary_share:
        return WriteDecision(WriteTiming.NOW)
    was_ready = any(entry.is_true for entry in old.conditions if entry.type in _WHOLE)
    urgencies = [(_urgency(before.get(entry.type), entry, was_ready=was_ready), entry) for entry in after]
    if any(urgency is WriteTiming.NOW for urgency, _ in urgencies):
        return WriteDecision(WriteTiming.NOW)
    settling = _settling(entry for urgency, entry in urgencies if urgency is WriteTiming.SETTLED)
    return WriteDecision(WriteTiming.SETTLED if settling else WriteTiming.LATER, settling)


def is_held_up(status: WorkspaceStatus) -> bool:
    """Whether something has failed, so that the status may stay as it is for days; otherwise the Workspace is ready or in progress."""
    broken = [entry for entry in status.conditions if entry.status == Status.FALSE]
    return any(
        entry.type in FAILED_WHEN_FALSE or (entry.type == ConditionType.INFERENCE_READY and entry.reason not in STARTING)
        for entry in broken
    )


def _first_news(new: WorkspaceStatus) -> WriteDecision:
    if any(entry.type == ConditionType.STALLED for entry in new.conditions):
        return WriteDecision(WriteTiming.NOW)
    whole = _settling(entry for entry in new.conditions if entry.is_true and entry.type in _WHOLE)
    return WriteDecision(WriteTiming.SETTLED, whole) if whole else WriteDecision(WriteTiming.FIRST)


def _settling(entries: Iterable[Condition]) -> frozenset[tuple[str, str, str]]:
    return frozenset((entry.type, entry.status, entry.reason) for entry in entries)


def _urgency(old: Condition | None, new: Condition, *, was_ready: bool) -> WriteTiming:
    if old is None:
        return WriteTiming.SETTLED
    if old.is_true:
        return WriteTiming.NOW if not new.is_true and (was_ready or new.type in _RELIED_ON) else WriteTiming.LATER
    if new.is_true and new.type in _WHOLE:
        return WriteTiming.SETTLED
    changed = (old.status, old.reason) != (new.status, new.reason)
    return WriteTiming.SETTLED if changed and new.status == Status.FALSE and new.type in FAILED_WHEN_FALSE else WriteTiming.LATER
