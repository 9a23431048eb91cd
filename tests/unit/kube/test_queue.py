"""The work queue's guarantees, one by one, and all of them under random use."""

import asyncio
import gc
import math
import sys
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workspace_ctrl.kube.queue import WorkQueue


async def due(queue):
    """All keys that are due now, in order; each is given back at once."""
    keys = []
    while len(queue):
        key = await queue.get()
        keys.append(key)
        queue.done(key)
    return keys


async def test_keys_come_out_in_order_and_merged():
    queue: WorkQueue[str] = WorkQueue()
    for key in "abcabca":
        queue.add(key)
    assert await due(queue) == ["a", "b", "c"]


async def test_a_key_is_handed_to_one_worker_at_a_time_and_runs_once_more():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await due(queue) == ["a"]


async def test_a_busy_key_does_not_starve_others():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("busy")
    queue.add("other")
    order = []
    for _ in range(4):
        key = await queue.get()
        order.append(key)
        queue.add("busy")
        queue.done(key)
    assert order[:2] == ["busy", "other"]


async def test_keys_ahead_come_first_but_starve_nobody():
    queue: WorkQueue[str] = WorkQueue()
    for number in range(40):
        queue.add(f"other {number}")
    for number in range(40):
        queue.add(f"ahead {number}", ahead=True)
    queue.add("other 0", ahead=True)
    queue.add("ahead 0")
    order = await due(queue)
    assert order == [
        *(f"ahead {number}" for number in range(16)),
        "other 1",
        *(f"ahead {number}" for number in range(16, 32)),
        "other 2",
        *(f"ahead {number}" for number in range(32, 40)),
        "other 0",
        *(f"other {number}" for number in range(3, 40)),
    ]


async def test_groups_take_turns_however_many_keys_one_has():
    queue: WorkQueue[tuple[str, int]] = WorkQueue(lambda key: key[0])
    for number in range(500):
        queue.add(("crowded", number), ahead=True)
    for number in range(3):
        queue.add(("quiet", number), ahead=True)
    first = [await queue.get() for _ in range(6)]
    assert first == [("crowded", 0), ("quiet", 0), ("crowded", 1), ("quiet", 1), ("crowded", 2), ("quiet", 2)]
    assert [await queue.get() for _ in range(3)] == [("crowded", 3), ("crowded", 4), ("crowded", 5)]
    assert len(queue) == 494


async def test_a_group_that_comes_back_waits_for_its_turn():
    queue: WorkQueue[tuple[str, int]] = WorkQueue(lambda key: key[0])
    for key in (("a", 1), ("b", 1)):
        queue.add(key)
    assert await queue.get() == ("a", 1)
    queue.add(("a", 2))
    assert [await queue.get(), await queue.get()] == [("b", 1), ("a", 2)]


async def test_what_came_ahead_during_the_work_on_it_comes_ahead_after_it():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add("a", ahead=True)
    queue.add("a")
    queue.add("b")
    queue.done("a")
    assert await due(queue) == ["a", "b"]


async def test_the_earlier_of_two_delays_counts_and_an_event_beats_both():
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 3600)
    queue.add_after("a", 0.001)
    queue.add_after("a", 1800)
    assert await asyncio.wait_for(queue.get(), 10) == "a"
    queue.done("a")
    queue.add_after("b", 3600)
    queue.add("b")
    assert await due(queue) == ["b"]


async def test_delays_double_until_success():
    queue: WorkQueue[str] = WorkQueue()
    delays = [queue.retry("a") for _ in range(12)]
    assert all(0.1 * 2**n * 0.8 <= delay <= 0.1 * 2**n * 1.2 for n, delay in enumerate(delays[:9]))
    assert delays[-1] <= 60 * 1.2
    queue.forget("a")
    assert queue.retry("a") <= 0.12
    queue.add("a")
    assert await due(queue) == ["a"]


async def test_idle_waits_for_the_work_under_way():
    queue: WorkQueue[str] = WorkQueue()
    await queue.idle()
    queue.add("a")
    await queue.get()
    waiting = asyncio.create_task(queue.idle())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    await waiting


async def test_the_age_is_that_of_the_key_which_waits_longest():
    queue: WorkQueue[str] = WorkQueue()
    assert queue.oldest_age() == 0
    queue.add("a")
    before = queue.oldest_age()
    queue.add("b")
    queue.add("a")
    assert queue.oldest_age() >= before
    assert (len(queue), queue.active) == (2, 0)
    assert await queue.get() == "a"
    assert (len(queue), queue.active) == (1, 1)


async def test_a_delay_that_the_server_asked_for_is_kept():
    queue: WorkQueue[str] = WorkQueue()
    assert queue.retry("a", at_least=7.0) == 7.0
    assert queue.failing == 1


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only when it is told to."""

    now = 1000.0

    def time(self):
        return self.now


class QueueMachine(RuleBasedStateMachine):
    """All operations in any order, beside a model that keeps only what is owed to whom, and at which time to whom."""

    keys = st.integers(0, 4)

    def __init__(self):
        super().__init__()
        self.loop = VirtualTime()
        self.runner = asyncio.Runner(loop_factory=lambda: self.loop)
        self.active: set[int] = set()
        self.ahead: list[int] = []
        self.others: list[int] = []
        self.ahead_in_a_row = 0
        self.again: dict[int, bool] = {}
        self.due_at: dict[int, float] = {}
        self.failures: Counter[int] = Counter()
        self.queue: WorkQueue[int] = self.on_loop(WorkQueue)

    def teardown(self):
        self.runner.close()

    @property
    def waiting(self):
        return [*self.ahead, *self.others]

    def on_loop(self, function, *arguments, **options):
        async def call():
            return function(*arguments, **options)

        self.move_clock(0.001)  # no two operations at one moment
        return self.runner.run(call())

    def move_clock(self, seconds):
        self.loop.now += seconds
        self.runner.run(asyncio.sleep(0))
        for key in sorted(self.due_at, key=self.due_at.__getitem__):
            if self.due_at[key] <= self.loop.now:
                self.becomes_due(key)

    def becomes_due(self, key, *, ahead=False):
        self.due_at.pop(key, None)
        if key in self.active:
            self.again[key] = ahead or self.again.get(key, False)
        elif ahead and key not in self.ahead:
            self.ahead.append(key)
            self.others = [other for other in self.others if other != key]
        elif key not in self.waiting:
            self.others.append(key)

    @rule(key=keys, ahead=st.booleans())
    def add(self, key, *, ahead):
        self.on_loop(self.queue.add, key, ahead=ahead)
        self.becomes_due(key, ahead=ahead)

    @rule(key=keys, seconds=st.sampled_from([1.0, 30.0, 3600.0]))
    def add_after(self, key, seconds):
        self.on_loop(self.queue.add_after, key, seconds)
        self.due_at[key] = min(self.due_at.get(key, math.inf), self.loop.now + seconds)

    @rule(key=keys, at_least=st.sampled_from([0.0, 90.0]))
    def fail(self, key, at_least):
        delay = self.on_loop(self.queue.retry, key, at_least)
        grown = min(0.1 * 2.0 ** self.failures[key], 60.0)
        assert max(at_least, grown * 0.8) <= delay <= max(at_least, grown * 1.2), "it doubles with each failure in a row"
        self.failures[key] += 1
        self.due_at[key] = min(self.due_at.get(key, math.inf), self.loop.now + delay)

    @rule(key=keys)
    def succeed(self, key):
        self.on_loop(self.queue.forget, key)
        del self.failures[key]

    @precondition(lambda self: self.due_at)
    @rule(seconds=st.sampled_from([0.05, 2.0, 100.0]))
    def time_passes(self, seconds):
        self.move_clock(seconds)

    @precondition(lambda self: self.waiting)
    @rule()
    def get(self):
        key = self.runner.run(self.queue.get())
        others_turn = self.others and (not self.ahead or self.ahead_in_a_row == 16)
        self.ahead_in_a_row = 0 if others_turn else self.ahead_in_a_row + 1
        line = self.others if others_turn else self.ahead
        assert key == line.pop(0), "keys of a line come out in the order in which they became due"
        assert key not in self.active, "one worker at a time"
        self.active.add(key)

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.active)))
        self.on_loop(self.queue.done, key)
        self.active.discard(key)
        if key in self.again:
            self.becomes_due(key, ahead=self.again.pop(key))

    @invariant()
    def nothing_is_lost_or_doubled(self):
        assert len(self.queue) == len(self.waiting)
        assert self.queue.active == len(self.active)
        assert self.queue.failing == len(self.failures)
        age = self.queue.oldest_age()
        assert age >= 0
        assert bool(self.waiting) or age == 0


TestQueueMachine = QueueMachine.TestCase


def test_an_operation_costs_the_same_however_many_keys_wait():
    """Counted in bytecode calls, not in time: the cost of adding the last of many keys is that of adding the first."""

    async def calls_of_one_more(waiting):
        queue: WorkQueue[int] = WorkQueue()
        for key in range(waiting):
            queue.add(key)
        calls = 0

        def count(_frame, event, _argument):
            nonlocal calls
            calls += event in {"call", "c_call"}

        gc.disable()  # it calls what others want to know of it
        sys.setprofile(count)
        try:
            queue.add(waiting)
            key = await queue.get()
            queue.done(key)
        finally:
            sys.setprofile(None)
            gc.enable()
        return calls

    assert asyncio.run(calls_of_one_more(10_000)) == asyncio.run(calls_of_one_more(1))
