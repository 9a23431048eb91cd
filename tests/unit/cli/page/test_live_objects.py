"""The objects of the page, and what browsers get of changes."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.unit.cli.page.objects import BROKEN, workspace
from workspace_ctrl.cli.page.live_objects import BATCH, LiveObjects, Notice
from workspace_ctrl.cli.page.page_object import parse_page_object


def found(*changed, name="phi"):
    return parse_page_object(workspace(*changed, name=name), "Workspace")


@pytest.fixture
def live():
    return LiveObjects(now=lambda: datetime(2026, 11, 28, 2, tzinfo=UTC), most=BATCH + 10)


async def update_of(subscriber):
    return await asyncio.wait_for(subscriber.next_update(), 5)


async def test_a_browser_gets_all_objects_in_parts_and_then_what_changes(live):
    for number in range(BATCH + 1):
        live.put(found(name=f"phi-{number}"))
    live.complete()
    with live.subscriber() as subscriber:
        first, second = await update_of(subscriber), await update_of(subscriber)
        assert (len(first["rows"]), first["isComplete"]) == (BATCH, False)
        assert (len(second["rows"]), second["isComplete"]) == (1, True)
        live.put(found(*BROKEN, name="phi-3"))
        live.remove("Workspace/ns/phi-4")
        third = await update_of(subscriber)
    assert [(row["name"], row["state"]) for row in third["rows"]] == [("phi-3", "failed")]
    assert third["gone"] == ["Workspace/ns/phi-4"]


async def test_it_is_complete_only_when_all_kinds_were_listed(live):
    with live.subscriber() as subscriber:
        assert not (await update_of(subscriber))["isComplete"]
        live.complete()
        assert (await update_of(subscriber))["isComplete"]


async def test_a_slow_browser_gets_only_the_newest_state(live):
    broken, mended = found(*BROKEN), found()
    with live.subscriber() as subscriber:
        for _ in range(1000):
            live.put(broken)
            live.put(mended)
        assert [row["state"] for row in (await update_of(subscriber))["rows"]] == ["ready"]


async def test_a_notice_is_told_and_taken_back(live):
    with live.subscriber() as subscriber:
        await update_of(subscriber)
        live.note("x", Notice("cannot be read", "ask for the right"))
        assert (await update_of(subscriber))["notices"] == [
            {"message": "cannot be read", "wayOut": "ask for the right", "isError": True}
        ]
        live.note("x", None)
        assert (await update_of(subscriber))["notices"] == []


def test_transitions_that_were_seen_are_kept_up_to_a_limit(live):
    for _ in range(100):
        live.put(found(*BROKEN))
        live.put(found())
    seen = live.seen("Workspace/ns/phi")
    assert (len(seen), seen[-1].status) == (30, "True")
    live.remove("Workspace/ns/phi")
    assert live.seen("Workspace/ns/phi") == ()


def test_more_objects_than_are_kept_are_said_to_be_left_out(live):
    for number in range(BATCH + 20):
        live.put(found(name=f"phi-{number}"))
    assert len(live.objects) == BATCH + 10
    (notice,) = live.notices.values()
    assert "workspace-ctrl ui -n NAMESPACE" in notice.way_out


def test_an_ended_browser_is_forgotten(live):
    with live.subscriber():
        assert live.is_watched
    assert not live.is_watched
