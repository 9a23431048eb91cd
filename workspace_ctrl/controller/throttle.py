"""Holds back what may be done too often: passes over a Workspace, and writes of its status."""

from dataclasses import dataclass, field, replace
from typing import Final

from workspace_ctrl.kube.store import Key
from workspace_ctrl.readiness.news import News, Urgency

_FEW: Final = 10
"""So many Workspaces in progress at once are served as if each were alone."""


class Load:
    """The Workspaces in progress: neither ready nor held up by a failure, which may last for days."""

    def __init__(self) -> None:
        self._in_progress: set[Key] = set()

    def set(self, key: Key, *, in_progress: bool) -> None:
        """Note whether the Workspace `key` is in progress."""
        if in_progress:
            self._in_progress.add(key)
        else:
            self._in_progress.discard(key)

    @property
    def factor(self) -> float:
        """By how much what is done for each must become rarer, so that all together cost no more than a few: 1 or more."""
        return max(len(self._in_progress) / _FEW, 1.0)

    @property
    def share(self) -> float:
        """How near the load is to that of a few, 0 to 1: nothing is held back while there is none."""
        return min(len(self._in_progress) / _FEW, 1.0)


@dataclass(frozen=True, slots=True)
class Throttle:
    """What may happen again an interval after `since`, in seconds of the event loop's clock."""

    since: float = float("-inf")

    def delay(self, now: float, interval: float) -> float:
        """Return in how many seconds it may happen; 0 for now."""
        return max(self.since + interval - now, 0.0)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds by which writes of a status are held back."""

    first: float
    """A first status that is not good, for each time that the load is that of a few."""
    settle: float
    """What must still hold after a moment."""
    progress: float
    """Mere progress, times the load."""


@dataclass(frozen=True, slots=True)
class StatusThrottle:
    """When the status of one Workspace may be written."""

    first_seen: Throttle = field(default_factory=Throttle)
    written: Throttle = field(default_factory=Throttle)
    load_factor: float = 1.0
    """The largest load since the newest write: when it falls, those that are left are near their end, and need no more writes."""
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """Conditions that must hold for a moment before they are written, as (type, status, reason)."""
    settling_since: Throttle = field(default_factory=Throttle)

    def hold(self, change: News, now: float, load_factor: float, intervals: Intervals) -> "tuple[StatusThrottle, float | None]":
        """Return the throttle at `now`, and in how many seconds `change` is to be written: 0 for now, None for never."""
        throttle = self
        if change.settling != self.settling:
            throttle = replace(self, settling=change.settling, settling_since=Throttle(now))
        match change.urgency:
            case Urgency.NEVER:
                return throttle, None
            case Urgency.NOW:
                return throttle, 0.0
            case Urgency.FIRST:
                return throttle, throttle.first_seen.delay(now, intervals.first * (load_factor - 1))
            case Urgency.SETTLED:
                return throttle, throttle.settling_since.delay(now, intervals.settle)
            case Urgency.LATER:
                throttle = replace(throttle, load_factor=max(throttle.load_factor, load_factor))
                return throttle, throttle.written.delay(now, intervals.progress * throttle.load_factor)

    def after_write(self, now: float, load_factor: float) -> "StatusThrottle":
        """Return the throttle after a write at `now`."""
        return replace(self, written=Throttle(now), load_factor=load_factor)
