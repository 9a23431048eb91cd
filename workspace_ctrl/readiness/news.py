"""How soon a changed status must be written.

What users rely on is told at once when it breaks, and so is every link of a Workspace that was ready; while it is not ready anyway, one
more link is mere progress. That a Workspace is ready, and that a link fails while the chain is still being made, is told when it
still holds a moment later: objects say that they are ready a little before requests are answered (an endpoint picker sees a pod some 100 ms
after the API server does), and a Gateway's controller that has not seen the pool yet reports a failure that mends itself. Mere progress
can wait longer. So a Workspace costs two or three status writes, and a True is never hasty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.readiness.failure import FAILED_WHEN_FALSE, STARTING

_WHOLE = frozenset({ConditionType.READY, ConditionType.GATEWAY_READY})
"""What is True only when all else is."""
_RELIED_ON = frozenset({ConditionType.WORKLOAD_ACCEPTED, ConditionType.RESOURCE_READY, ConditionType.INFERENCE_READY})
"""What KAITO's users wait for, whatever becomes of the gateway side."""


class Urgency(Enum):
    """When a new status is to be written."""

    NEVER = "never"
    """It says nothing new."""
    FIRST = "first"
    """It is the first one, and not a good one; where many Workspaces come at once, their objects go before."""
    LATER = "later"
    """It only tells of progress."""
    SETTLED = "settled"
    """When it still holds in a moment."""
    NOW = "now"


@dataclass(frozen=True, slots=True)
class News:
    """What a new status brings to somebody who knows the old one."""

    urgency: Urgency
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """(type, status, reason) of the conditions that must hold for a moment before they are told."""


def news(old: WorkspaceStatus, new: WorkspaceStatus) -> News:
    """Return what `new` brings to somebody who knows `old`."""
    if old == new:
        return News(Urgency.NEVER)
    before = {condition.type: condition for condition in old.conditions}
    after = new.conditions
    if ConditionType.READY not in before:
        return _first_news(new)
    if old.observed_generation != new.observed_generation:
        return News(Urgency.NOW)
    was_ready = any(entry.is_true for entry in old.conditions if entry.type in _WHOLE)
    urgencies = [(_urgency(before.get(entry.type), entry, was_ready=was_ready), entry) for entry in after]
    if any(urgency is Urgency.NOW for urgency, _ in urgencies):
        return News(Urgency.NOW)
    settling = _settling(entry for urgency, entry in urgencies if urgency is Urgency.SETTLED)
    return News(Urgency.SETTLED if settling else Urgency.LATER, settling)


def is_held_up(status: WorkspaceStatus) -> bool:
    """Whether something has failed, so that the Workspace may stay as it is for days; otherwise it is ready or on its way."""
    broken = [entry for entry in status.conditions if entry.status == Status.FALSE]
    return any(
        entry.type in FAILED_WHEN_FALSE or (entry.type == ConditionType.INFERENCE_READY and entry.reason not in STARTING)
        for entry in broken
    )


def _first_news(new: WorkspaceStatus) -> News:
    if any(entry.type == ConditionType.STALLED for entry in new.conditions):
        return News(Urgency.NOW)
    whole = _settling(entry for entry in new.conditions if entry.is_true and entry.type in _WHOLE)
    return News(Urgency.SETTLED, whole) if whole else News(Urgency.FIRST)


def _settling(entries: Iterable[Condition]) -> frozenset[tuple[str, str, str]]:
    return frozenset((entry.type, entry.status, entry.reason) for entry in entries)


def _urgency(old: Condition | None, new: Condition, *, was_ready: bool) -> Urgency:
    if old is None:
        return Urgency.SETTLED
    if old.is_true:
        return Urgency.NOW if not new.is_true and (was_ready or new.type in _RELIED_ON) else Urgency.LATER
    if new.is_true and new.type in _WHOLE:
        return Urgency.SETTLED
    changed = (old.status, old.reason) != (new.status, new.reason)
    return Urgency.SETTLED if changed and new.status == Status.FALSE and new.type in FAILED_WHEN_FALSE else Urgency.LATER
