"""The work queue between events and passes."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

from workspace_ctrl.kube.backoff import WORK_QUEUE, Backoff, jittered

K = TypeVar("K", bound=Hashable)

_JITTER: Final = (0.8, 1.2)
_AHEAD_IN_A_ROW = 16
"""Number of keys in a row from the line `ahead` before one of the others is handed out."""


class _Line(Generic[K]):
    """Waiting keys by group; the groups take turns, and the keys of a group come out in the order in which they became due."""

    def __init__(self, group_of: Callable[[K], Hashable]) -> None:
        self._group_of = group_of
        self._groups: OrderedDict[Hashable, OrderedDict[K, float]] = OrderedDict()
        """Group → its keys → when each became due; the group whose turn is next is the first one."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: K) -> bool:
        return key in self._groups.get(self._group_of(key), ())

    def add(self, key: K, due: float) -> None:
        """Put a key that does not wait at the end of its group."""
        self._groups.setdefault(self._group_of(key), OrderedDict())[key] = due
        self._size += 1

    def remove(self, key: K) -> float:
        """Take a waiting key out; return when it became due."""
        group = self._group_of(key)
        due = self._groups[group].pop(key)
        if not self._groups[group]:
            del self._groups[group]
        self._size -= 1
        return due

    def next(self) -> K:
        """Take the next key out; there is one."""
        group, keys = next(iter(self._groups.items()))
        key, _ = keys.popitem(last=False)
        self._groups.move_to_end(group)
        if not keys:
            del self._groups[group]
        self._size -= 1
        return key

    def oldest(self) -> Iterator[float]:
        """Yield when the first key of each group became due."""
        return (next(iter(keys.values())) for keys in tuple(self._groups.values()) if keys)


class WorkQueue(Generic[K]):
    """Keys waiting to be reconciled.

    Guarantees:
      * a key is handed to one worker at a time;
      * a key added while it waits is merged, one added while it is worked on runs once more;
      * groups of keys, such as namespaces, take turns, so that a group with many keys cannot starve others; within a group keys come out
        in the order in which they became due, so a busy key cannot starve others;
      * keys that were added `ahead` come before the others, but of 17 keys at least one is of the others while any waits;
      * every operation is O(1) or O(log n) in the number of waiting keys; nothing polls.
    """

    def __init__(self, group_of: Callable[[K], Hashable] = lambda _key: None) -> None:
        """Make an empty queue; `group_of` returns the group of a key."""
        self._ahead = _Line(group_of)
        self._others = _Line(group_of)
        self._ahead_in_a_row = 0
        self._places = asyncio.Semaphore(0)
        """Its value is the number of waiting keys."""
        self._active: set[K] = set()
        self._again: dict[K, bool] = {}
        """Active key that is due again → whether ahead of others."""
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failing: dict[K, Backoff] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Return the number of keys that are due and wait for a worker."""
        return len(self._ahead) + len(self._others)

    def oldest_age(self) -> float:
        """Return for how many seconds the first key has been waiting for a worker; 0 if none waits. Can be called from any thread."""
        now = time.monotonic()
        return now - min((*self._ahead.oldest(), *self._others.oldest()), default=now)

    @property
    def active(self) -> int:
        """Number of keys that workers have."""
        return len(self._active)

    @property
    def failing(self) -> int:
        """Number of keys whose last pass failed."""
        return len(self._failing)

    def add(self, key: K, *, ahead: bool = False) -> None:
        """Make `key` due now; with `ahead`, before those that were added without it."""
        self._cancel_timer(key)
        if key in self._active:
            self._again[key] = ahead or self._again.get(key, False)
            return
        if key not in self._ahead and key not in self._others:
            self._others.add(key, time.monotonic())
            self._places.release()
        if ahead and key in self._others:
            self._ahead.add(key, self._others.remove(key))

    def add_after(self, key: K, seconds: float) -> None:
        """Make `key` due in `seconds`, unless it becomes due earlier."""
        timer = self._timers.get(key)
        loop = asyncio.get_running_loop()
        if timer is not None and timer.when() <= loop.time() + seconds:
            return
        self._cancel_timer(key)
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def retry(self, key: K, at_least: float = 0.0) -> float:
        """Make `key` due after a delay that doubles with each failure in a row; return the delay in seconds, at least `at_least`."""
        now = asyncio.get_running_loop().time()
        backoff = self._failing[key] = self._failing.get(key, Backoff(WORK_QUEUE)).again(now)
        delay = max(jittered(backoff.delay, *_JITTER), at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Reset the backoff of `key` after a success."""
        self._failing.pop(key, None)

    async def get(self) -> K:
        """Wait for the next due key; `done` must follow."""
        await self._places.acquire()
        key = self._next()
        self._active.add(key)
        self._idle.clear()
        return key

    def done(self, key: K) -> None:
        """Return `key` after a worker has finished with it."""
        self._active.discard(key)
        if not self._active:
            self._idle.set()
        if key in self._again:
            self.add(key, ahead=self._again.pop(key))

    async def idle(self) -> None:
        """Wait until no worker has a key."""
        await self._idle.wait()

    def _next(self) -> K:
        """Remove the next key from its line and return it; at least one must be waiting."""
        if self._others and (not self._ahead or self._ahead_in_a_row >= _AHEAD_IN_A_ROW):
            self._ahead_in_a_row = 0
            return self._others.next()
        self._ahead_in_a_row += 1
        return self._ahead.next()

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
