"""For how long Flux's objects have been in their stage: times are counted, and end with the wait."""

import pytest

from tests.unit.factories import condition, release, source
from workspace_ctrl.controller.flux_stage_timer import NO_WAIT, FluxActivity, StageTimer
from workspace_ctrl.records.flux import StageAges

UNSEEN = release(conditions=(), observed=-1, deployed=False)
FAILING = release(conditions=(condition("Ready", "False", "InstallFailed"),))
WORKING = release(conditions=(condition("Ready", "Unknown"), condition("Reconciling")), deployed=False)


def observed(*looks, timer=NO_WAIT, activity=None):
    """The timer after looks at releases: (release, seconds)."""
    activity = activity or FluxActivity()
    for record, now in looks:
        timer, activity = timer.observe(source(), record, now, activity)
    return timer


def test_a_wait_counts_from_when_an_object_came_into_its_stage():
    first = observed((UNSEEN, 100))
    assert (first.ages, first.due_at) == (StageAges(), 160)
    second = observed((UNSEEN, 160), timer=first)
    assert (second.ages, second.due_at) == (StageAges(release=60), None)
    third = observed((WORKING, 161), timer=second)
    assert (third.ages, third.due_at) == (StageAges(), 161 + 360)


def test_what_waits_for_its_turn_is_not_stuck():
    activity = FluxActivity()
    first, activity = StageTimer().observe(source(), UNSEEN, 0, activity)
    second, activity = StageTimer().observe(source(), UNSEEN, 0, activity)
    second, activity = second.observe(source(), UNSEEN, 50, activity)
    assert second.ages == StageAges(release=50)
    first, activity = first.observe(source(), WORKING, 50, activity)
    assert activity.release == 50
    second, activity = second.observe(source(), UNSEEN, 100, activity)
    assert (second.ages, second.due_at) == (StageAges(release=50), 110)
    second, activity = second.observe(source(), WORKING, 101, activity)
    assert second.ages == StageAges()
    assert second.observe(source(), WORKING, 201, activity)[0].ages == StageAges(release=100)


def test_attempts_that_follow_each_other_are_one_wait():
    timer = observed((FAILING, 0), (WORKING, 60), (FAILING, 61))
    assert (timer.ages, timer.due_at) == (StageAges(release=61), 600)


@pytest.mark.parametrize("record", [release(), release(suspended=True), None], ids=["done", "paused", "gone"])
def test_a_wait_ends(record):
    ended = observed((FAILING, 0), (record, 60))
    assert ended is NO_WAIT
    assert observed((FAILING, 70), timer=ended).ages == StageAges()


def test_a_new_spec_begins_a_new_wait():
    timer, activity = StageTimer().observe(source(generation=1, digest=""), None, 0, FluxActivity())
    assert timer.observe(source(generation=2, digest=""), None, 60, activity)[0].ages == StageAges()
