"""Exponential backoff: when a failed or repeated operation may be tried again."""

import random
from dataclasses import dataclass
from typing import Final

_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Delays in seconds: `first` after the first attempt, then doubled each time, at most `longest`."""

    first: float
    longest: float
    reset_after: float = float("inf")
    """Seconds without an attempt after a delay that reset the backoff."""


WORK_QUEUE: Final = BackoffPolicy(first=0.1, longest=60.0)
"""Between the attempts at a key of the work queue whose work has failed."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The attempts so far. Times are those of one monotonic clock, in seconds."""

    policy: BackoffPolicy
    attempts: int = 0
    """Consecutive attempts."""
    last: float = float("-inf")
    """Time of the latest attempt."""

    @property
    def delay(self) -> float:
        """Delay after the latest attempt; 0 before the first one."""
        if not self.attempts:
            return 0.0
        return min(self.policy.first * 2.0 ** min(self.attempts - 1, _MOST_DOUBLINGS), self.policy.longest)

    @property
    def due_at(self) -> float:
        """Time from which the next attempt is allowed."""
        return self.last + self.delay

    def is_due(self, now: float) -> bool:
        """Whether the next attempt is allowed at `now`."""
        return now >= self.due_at

    def again(self, now: float) -> "Backoff":
        """Return the backoff after an attempt at `now`."""
        is_first = now > self.due_at + self.policy.reset_after
        return Backoff(self.policy, 1 if is_first else self.attempts + 1, now)


def jittered(seconds: float, least: float, most: float) -> float:
    """Return `seconds` times a random factor from `least` to `most`, so that requests that failed together are not repeated together."""
    return seconds * random.uniform(least, most)  # noqa: S311
