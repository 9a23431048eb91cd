"""How often the status of a Workspace may be written, and how load extends that."""

from dataclasses import dataclass, field, replace
from typing import Final

from workspace_ctrl.controller.pass_throttle import Throttle
from workspace_ctrl.readiness.status_urgency import WriteDecision, WriteTiming
from workspace_ctrl.settings.process import Settings

_NEVER: Final = Throttle()


@dataclass(frozen=True, slots=True)
class Intervals:
    """Delays of status writes, in seconds."""

    first: float
    """Delay of a first status that is not ready, times (load factor - 1)."""
    settle: float
    """How long readiness, or a failure during the start, must hold."""
    progress: float
    """Interval of writes that only report progress, times the load factor."""
    rejected: float
    """How long a status that the API server rejected is written without the rejected part."""


def intervals_of(settings: Settings) -> Intervals:
    """Return the intervals of an installation."""
    return Intervals(
        settings.first_status_interval, settings.settle_interval, settings.progress_interval, settings.refusal_interval
    )


@dataclass(frozen=True, slots=True)
class StatusThrottle:
    """When the status of one Workspace may be written."""

    first_seen: Throttle = field(default_factory=Throttle)
    """End of the steps of the first pass."""
    written: Throttle = field(default_factory=Throttle)
    load_factor: float = 1.0
    """The largest load factor since the latest write: when the load falls, the remaining Workspaces are nearly ready."""
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """Conditions that must hold for a moment before they are written, as (type, status, reason)."""
    settling_since: Throttle = field(default_factory=Throttle)

    def hold(
        self, change: WriteDecision, now: float, load_factor: float, intervals: Intervals
    ) -> "tuple[StatusThrottle, float | None]":
        """Return the throttle at `now`, and the seconds until `change` has to be written: 0 for now, None for never."""
        throttle = self
        if change.settling != self.settling:
            throttle = replace(self, settling=change.settling, settling_since=Throttle(now))
        match change.urgency:
            case WriteTiming.NEVER:
                return throttle, None
            case WriteTiming.NOW:
                return throttle, 0.0
            case WriteTiming.FIRST:
                if throttle.first_seen == _NEVER:
                    throttle = replace(throttle, first_seen=Throttle(now))
                return throttle, throttle.first_seen.delay(now, intervals.first * (load_factor - 1))
            case WriteTiming.SETTLED:
                return throttle, throttle.settling_since.delay(now, intervals.settle)
            case WriteTiming.LATER:
                throttle = replace(throttle, load_factor=max(throttle.load_factor, load_factor))
                return throttle, throttle.written.delay(now, intervals.progress * throttle.load_factor)

    def after_write(self, now: float, load_factor: float) -> "StatusThrottle":
        """Return the throttle after a write at `now`."""
        return replace(self, written=Throttle(now), load_factor=load_factor)
