"""Minimum intervals between passes over a Workspace, and between writes of its status."""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.kube.store import Key

_FEW: Final = 10
"""Number of Workspaces in progress up to which intervals are not extended."""
_STRETCHED_FROM: Final = 2.5
"""Load factor from which passes over one Workspace are made less often."""
_LONGEST_STRETCH: Final = 3.0


class Load:
    """The Workspaces in progress: neither ready nor held up by a failure, which may last for days."""

    def __init__(self) -> None:
        self._in_progress: set[Key] = set()

    def set(self, key: Key, *, in_progress: bool) -> None:
        """Set whether the Workspace `key` is in progress."""
        if in_progress:
            self._in_progress.add(key)
        else:
            self._in_progress.discard(key)

    def is_in_progress(self, key: Key) -> bool:
        """Whether the Workspace `key` is in progress."""
        return key in self._in_progress

    @property
    def factor(self) -> float:
        """Factor, at least 1, by which intervals are extended so that the total load stays constant."""
        return max(len(self._in_progress) / _FEW, 1.0)

    @property
    def stretch(self) -> float:
        """Factor of the intervals between passes: the share up to 25 Workspaces in progress, and then more, at most 3."""
        return self.share * min(max(self.factor / _STRETCHED_FROM, 1.0), _LONGEST_STRETCH)

    @property
    def share(self) -> float:
        """The load as a part of the one from which intervals are extended, 0 to 1."""
        return min(len(self._in_progress) / _FEW, 1.0)


@dataclass(frozen=True, slots=True)
class Throttle:
    """A minimum interval after `since`, in seconds of the event loop's clock."""

    since: float = float("-inf")

    def delay(self, now: float, interval: float) -> float:
        """Return the seconds from `now` until `interval` has passed; 0 if it has."""
        return max(self.since + interval - now, 0.0)
