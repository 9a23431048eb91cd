"""Slots for concurrent work, shared fairly between groups."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

G = TypeVar("G", bound=Hashable)


class FairSlots(Generic[G]):
    """A number of slots, for groups such as namespaces.

    Guarantees:
      * at most `slots` are taken at once, and at most `of_group` by one group, so that one group cannot take them all;
      * groups that wait take turns; within a group, waiting tasks get a slot in the order in which they came;
      * a task that is cancelled while it waits takes no slot.
    """

    def __init__(self, slots: int, of_group: int) -> None:
        """Make the slots, all of them free."""
        self._free = slots
        self._of_group = of_group
        self._taken: Counter[G] = Counter()
        self._waiting: OrderedDict[G, deque[asyncio.Future[None]]] = OrderedDict()
        """Group → its tasks that wait for a slot; the group whose turn is next is the first one."""

    @asynccontextmanager
    async def of(self, group: G) -> AsyncIterator[None]:
        """Wait for a slot, and keep it for the body of the `async with`."""
        await self._acquire(group)
        try:
            yield
        finally:
            self._release(group)

    async def _acquire(self, group: G) -> None:
        if self._has_room(group) and group not in self._waiting:
            self._take(group)
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._release(group)
            else:
                self._forget(group, waiter)
            raise

    def _has_room(self, group: G) -> bool:
        return self._free > 0 and self._taken[group] < self._of_group

    def _take(self, group: G) -> None:
        self._free -= 1
        self._taken[group] += 1

    def _release(self, group: G) -> None:
        self._free += 1
        self._taken[group] -= 1
        if not self._taken[group]:
            del self._taken[group]
        self._hand_out()

    def _hand_out(self) -> None:
        """Give free slots to the groups whose turn it is; the few that have all of theirs are passed over."""
        while (group := next(filter(self._has_room, self._waiting), None)) is not None:
            waiters = self._waiting[group]
            waiter = waiters.popleft()
            self._waiting.move_to_end(group)
            if not waiters:
                del self._waiting[group]
            if not waiter.cancelled():
                self._take(group)
                waiter.set_result(None)

    def _forget(self, group: G, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting.get(group, deque())
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[group]
