"""The work queue between events and passes."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy, jittered

K = TypeVar("K", bound=Hashable)

_POLICY: Final = BackoffPolicy(first=0.1, longest=60.0)
_JITTER: Final = (0.8, 1.2)
_AHEAD_IN_A_ROW = 16
"""Number of keys in a row from the line `ahead` before one of the others is handed out."""


class WorkQueue(Generic[K]):
    """Keys waiting to be reconciled.

    Guarantees:
      * a key is handed to one worker at a time;
      * a key that is added while it waits is merged; one that is added while a worker has it is handed out once more;
      * keys are handed out in the order in which they became due, so a busy key cannot starve others; those that were added `ahead` come
        first, but of 17 keys at least one is of the others while any waits, so they are not starved either;
      * every operation is O(1) or O(log n) in the number of waiting keys; nothing polls.
    """

    def __init__(self) -> None:
        self._ahead: OrderedDict[K, float] = OrderedDict()
        self._others: OrderedDict[K, float] = OrderedDict()
        """Waiting key → time when it became due; first in, first out."""
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
        return now - min((*self._ahead.values(), *self._others.values()), default=now)

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
            self._others[key] = time.monotonic()
            self._places.release()
        if ahead and key in self._others:
            self._ahead[key] = self._others.pop(key)

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
        backoff = self._failing[key] = self._failing.get(key, Backoff(_POLICY)).again(now)
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
            return self._others.popitem(last=False)[0]
        self._ahead_in_a_row += 1
        return self._ahead.popitem(last=False)[0]

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
