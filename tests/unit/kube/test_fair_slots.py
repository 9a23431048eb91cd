"""Slots that groups share fairly; the tests are named after the guarantees."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.kube.fair_slots import FairSlots


class Users:
    """Tasks that take slots, and keep them until they are told to go."""

    def __init__(self, slots, of_group):
        self.slots = FairSlots(slots, of_group)
        self.order, self.inside, self.tasks = [], Counter(), []

    def come(self, group, number=1):
        self.tasks += [asyncio.create_task(self._use(group)) for _ in range(number)]

    async def _use(self, group):
        async with self.slots.of(group):
            self.order.append(group)
            self.inside[group] += 1
            leave = asyncio.Event()
            self.leaving = [*getattr(self, "leaving", []), (group, leave)]
            try:
                await leave.wait()
            finally:
                self.inside[group] -= 1

    async def leave(self, group):
        """Let the first one of a group go, and everybody do what follows from it."""
        found = next(entry for entry in self.leaving if entry[0] == group)
        self.leaving.remove(found)
        found[1].set()
        await settled()

    async def end(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_group_takes_its_share_and_leaves_the_rest_to_others():
    users = Users(slots=4, of_group=2)
    users.come("many", 1000)
    await settled()
    assert users.inside == {"many": 2}
    users.come("few")
    await settled()
    assert users.inside == {"many": 2, "few": 1}
    await users.end()


async def test_groups_that_wait_take_turns():
    users = Users(slots=2, of_group=2)
    users.come("a", 1000)
    await settled()
    users.come("b", 3)
    users.come("c", 3)
    await settled()
    for _ in range(6):
        await users.leave(users.leaving[0][0])
    assert users.order == ["a", "a", "a", "b", "c", "a", "b", "c"]
    await users.end()


async def test_who_is_cancelled_while_waiting_takes_no_slot():
    users = Users(slots=1, of_group=1)
    users.come("a", 3)
    await settled()
    users.tasks[1].cancel()
    await users.leave("a")
    assert users.inside == {"a": 1}
    users.come("b")
    await settled()
    users.tasks[2].cancel()
    users.tasks[3].cancel()
    await settled()
    users.come("c")
    await settled()
    assert users.inside["c"] == 1
    await users.end()


async def test_a_slot_that_was_given_to_a_cancelled_task_is_not_lost():
    users = Users(slots=1, of_group=1)
    users.come("a", 2)
    await settled()
    users.leaving[0][1].set()
    await asyncio.sleep(0)  # the first one goes, and its slot is given to the second
    users.tasks[1].cancel()
    await settled()
    users.come("b")
    await settled()
    assert users.inside["b"] == 1
    await users.end()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["come", "leave", "cancel"]), st.integers(0, 3)), max_size=40))
def test_no_slot_is_taken_twice_or_lost(moves):
    async def play():
        users = Users(slots=3, of_group=2)
        for group, move, pause in moves:
            if move == "come":
                users.come(group)
            elif move == "cancel" and users.tasks:
                users.tasks[pause % len(users.tasks)].cancel()
            elif move == "leave" and getattr(users, "leaving", ()):
                users.leaving.pop(0)[1].set()
            for _ in range(pause):
                await asyncio.sleep(0)
            assert sum(users.inside.values()) <= 3
            assert max(users.inside.values(), default=0) <= 2
        await users.end()
        users.inside.clear()
        users.come("a", 5)
        users.come("b", 5)
        await settled()
        assert sum(users.inside.values()) == 3
        await users.end()

    asyncio.run(play())
