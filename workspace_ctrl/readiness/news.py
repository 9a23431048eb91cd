"""How soon a changed status must be written.

Bad news and the summaries at once; that one more link of a chain holds can wait a moment, because usually the next one follows and one
write then says both. So a Workspace costs a few status writes, whatever the number of events it took.
"""

from enum import Enum

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus

_SUMMARIES = frozenset({ConditionType.READY, ConditionType.GATEWAY_READY, ConditionType.STALLED})


class News(Enum):
    """What a new status brings."""

    NONE = "none"
    """Nothing; it is not written."""
    PROGRESS = "progress"
    """It can wait."""
    URGENT = "urgent"
    """It is written at once."""


def news(old: WorkspaceStatus, new: WorkspaceStatus) -> News:
    """Return what `new` brings to somebody who knows `old`."""
    if old == new:
        return News.NONE
    if old.observed_generation != new.observed_generation:
        return News.URGENT
    before = {condition.type: condition for condition in old.condition_tuple()}
    after = new.condition_tuple()
    urgent = before.keys() != {condition.type for condition in after} or any(
        _is_urgent(before[condition.type], condition) for condition in after if condition.type in before
    )
    return News.URGENT if urgent else News.PROGRESS


def _is_urgent(old: Condition, new: Condition) -> bool:
    if old.status == new.status:
        # Another failure than before; while something is being made, reasons come and go.
        return new.status == Status.FALSE and old.reason != new.reason and new.type not in _SUMMARIES and new.type in _FAILURES
    return new.type in _SUMMARIES or new.status == Status.FALSE


_FAILURES = frozenset(
    {ConditionType.WORKLOAD_ACCEPTED, ConditionType.CHART_READY, ConditionType.ENDPOINT_PICKER_READY, ConditionType.ROUTE_READY}
)
