"""How soon a changed status must be written.

A link that broke and a Workspace that became ready are written at once. A link that fails while the chain is still being made can mend
itself in the next moment (a Gateway's controller that has not seen the pool yet), and that one more link holds is usually followed by the
next: these wait a little, and one write then says all. So a Workspace costs two or three status writes, whatever the number of events.
"""

from enum import Enum

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus

_FAILURES = frozenset(
    {ConditionType.WORKLOAD_ACCEPTED, ConditionType.CHART_READY, ConditionType.ENDPOINT_PICKER_READY, ConditionType.ROUTE_READY}
)
"""Links whose False means that something failed; those of the model server are False from the start until it runs."""


class News(Enum):
    """What a new status brings."""

    NONE = "none"
    """Nothing; it is not written."""
    PROGRESS = "progress"
    """It can wait."""
    SOON = "soon"
    """It is written if it still holds in a moment."""
    URGENT = "urgent"
    """It is written at once."""


def news(old: WorkspaceStatus, new: WorkspaceStatus) -> News:
    """Return what `new` brings to somebody who knows `old`."""
    if old == new:
        return News.NONE
    before = {condition.type: condition for condition in old.condition_tuple()}
    if old.observed_generation != new.observed_generation or ConditionType.READY not in before:
        return News.URGENT
    kinds = {_kind(before.get(condition.type), condition) for condition in new.condition_tuple()}
    return next((kind for kind in (News.URGENT, News.SOON) if kind in kinds), News.PROGRESS)


def _kind(old: Condition | None, new: Condition) -> News:
    if old is None:
        return News.SOON
    if old.is_true:
        return News.PROGRESS if new.is_true else News.URGENT
    if new.type == ConditionType.READY and new.is_true:
        return News.URGENT
    if new.type == ConditionType.GATEWAY_READY and new.is_true:
        return News.SOON
    changed = (old.status, old.reason) != (new.status, new.reason)
    return News.SOON if changed and new.status == Status.FALSE and new.type in _FAILURES else News.PROGRESS
