"""How often we write a status again that another controller has replaced: at once, but more and more rarely where that goes on.

In companion mode KAITO replaces the list with our condition, now and then by what it has read before our write. It also reconciles after
each of our writes. If it removed the condition each time, two controllers would write as fast as they can, for ever.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from workspace_ctrl.api.conditions import Condition, ConditionType, find
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy

_POLICY: Final = BackoffPolicy(first=0.1, longest=60.0, reset_after=5.0)
"""Six times within two seconds each; then it is a fight that nobody wins."""
_NONE_YET: Final = Backoff(_POLICY)


@dataclass(frozen=True, slots=True)
class RestoredStatus:
    """What was written last, and how often that had to be repeated."""

    written: Condition | None = None
    """The GatewayReady that was written last; None if none was."""
    backoff: Backoff = _NONE_YET

    def delay(self, current: WorkspaceStatus, now: float) -> float:
        """Return the seconds until a status may be written that replaces `current`: 0 unless another controller wrote that."""
        return max(self.backoff.due_at - now, 0.0) if self._is_replaced(current) else 0.0

    def timed(self, wanted: WorkspaceStatus) -> WorkspaceStatus:
        """Return `wanted` with the time since when GatewayReady has been so, where another controller has removed that."""
        new, old = _gateway_ready(wanted), self.written
        if new is None or old is None or new == old or new.status != old.status:
            return wanted
        since = replace(new, last_transition_time=old.last_transition_time)
        return replace(wanted, conditions=tuple(since if entry is new else entry for entry in wanted.conditions))

    def after_write(self, current: WorkspaceStatus, wanted: WorkspaceStatus, now: float) -> Self:
        """Return the value after `wanted` was written at `now` instead of `current`."""
        backoff = self.backoff.again(now) if self._is_replaced(current) else self.backoff
        return replace(self, written=_gateway_ready(wanted), backoff=backoff)

    def _is_replaced(self, current: WorkspaceStatus) -> bool:
        return self.written is not None and self.written != _gateway_ready(current)


def _gateway_ready(status: WorkspaceStatus) -> Condition | None:
    return find(status.conditions, ConditionType.GATEWAY_READY)
