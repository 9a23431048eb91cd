"""The work queue's guarantees, one by one, and all of them under random use."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.integers(0, 3)), max_size=60))
def test_whatever_happens_no_key_is_lost_or_worked_on_twice(actions):
    async def play():
        queue: WorkQueue[int] = WorkQueue()
        active: set[int] = set()
        owed: set[int] = set()
        for action, key in actions:
            if action == "add":
                queue.add(key)
                owed.add(key)
            elif action == "get" and len(queue):
                taken = await queue.get()
                assert taken not in active
                active.add(taken)
                owed.discard(taken)
            elif action == "done" and active:
                queue.done(active.pop())
        while active:
            queue.done(active.pop())
        assert set(await due(queue)) == owed

    asyncio.run(play())
