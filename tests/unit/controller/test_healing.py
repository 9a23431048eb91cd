"""Edits of what Flux made are told from Flux's own writes; times are counted, and end with the wait."""

import pytest

from tests.unit.factories import DIGEST, condition, release, source
from workspace_ctrl.controller.healing import Healing
from workspace_ctrl.controller.memory import Repairs
from workspace_ctrl.controller.patience import Activity, Patience
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.parts import part_id

IDLE = Activity()
ROLE = part_id("Role", "phi-epp")
BUSY = release(conditions=(condition("Ready"), condition("Reconciling")))
UNSEEN = release(conditions=(), observed=-1, deployed=False)
FAILING = release(conditions=(condition("Ready", "False", "InstallFailed"),))
WORKING = release(conditions=(condition("Ready", "Unknown"), condition("Reconciling")), deployed=False)


def look(healing, shape, now, record=None):
    return healing.look(record or release(), DIGEST, {ROLE: shape}, now)


def test_an_edit_is_seen_until_flux_was_asked():
    healing = Healing()
    assert not look(healing, 1, 0)
    assert look(healing, 2, 10)
    assert look(healing, 2, 11)
    healing.asked()
    assert not look(healing, 2, 12)
    assert look(healing, 3, 20)


def test_what_flux_writes_is_no_edit():
    healing = Healing()
    look(healing, 1, 0)
    assert not look(healing, 2, 10, BUSY)
    assert not look(healing, 2, 11)
    assert not look(healing, 3, 11.5)  # of the same writes, by a watch that lags behind
    assert not look(healing, 3, 20, release(inventory=ROLE))  # an installation that no pass has seen at work
    assert not look(healing, 4, 20.5, release(inventory=ROLE))


def test_patience_counts_from_when_an_object_came_to_stand_there():
    patience = Patience()
    assert patience.look(source(), UNSEEN, 100, IDLE) == StageAges()
    assert patience.due_at == 160
    assert patience.look(source(), UNSEEN, 160, IDLE) == StageAges(release=60)
    assert patience.due_at is None
    assert patience.look(source(), WORKING, 161, IDLE) == StageAges()
    assert patience.due_at == 161 + 360


def test_what_waits_for_its_turn_is_not_left_alone():
    first, second, activity = Patience(), Patience(), Activity()
    for patience in (first, second):
        patience.look(source(), UNSEEN, 0, activity)
    assert second.look(source(), UNSEEN, 50, activity) == StageAges(release=50)
    first.look(source(), WORKING, 50, activity)
    assert second.look(source(), UNSEEN, 100, activity) == StageAges(release=50)
    assert second.due_at == 110
    assert second.look(source(), WORKING, 101, activity) == StageAges()
    assert second.look(source(), WORKING, 201, activity) == StageAges(release=100)


def test_attempts_that_follow_each_other_are_one_wait():
    patience = Patience()
    patience.look(source(), FAILING, 0, IDLE)
    patience.look(source(), WORKING, 60, IDLE)
    assert patience.look(source(), FAILING, 61, IDLE) == StageAges(release=61)
    assert patience.due_at == 600


@pytest.mark.parametrize("record", [release(), release(suspended=True), None], ids=["done", "paused", "gone"])
def test_a_wait_ends(record):
    patience = Patience()
    patience.look(source(), FAILING, 0, IDLE)
    assert patience.look(source(), record, 60, IDLE) == StageAges()
    assert patience.look(source(), FAILING, 70, IDLE) == StageAges()


def test_a_new_spec_begins_a_new_wait():
    patience = Patience()
    patience.look(source(generation=1, digest=""), None, 0, IDLE)
    assert patience.look(source(generation=2, digest=""), None, 60, IDLE) == StageAges()


@pytest.mark.parametrize(("first_delay", "delays"), [(1.0, [1, 2, 4, 8]), (0.5, [0.5, 1, 2, 4])])
def test_repairs_become_rarer_up_to_five_minutes(first_delay, delays):
    repairs, now, seen = Repairs(first_delay=first_delay), 1000.0, []
    assert repairs.next_at() < now
    for _ in range(12):
        repairs.note(now)
        seen.append(repairs.next_at() - now)
        now = repairs.next_at()
    assert seen[:4] == delays
    assert seen[-1] == 300


def test_calm_makes_the_next_repair_a_first_one_again():
    repairs = Repairs(first_delay=0.5, calm=10)
    for now in (0.0, 0.5, 1.5):
        repairs.note(now)
    assert repairs.next_at() == 1.5 + 2
    repairs.note(13.5)
    assert repairs.next_at() == 13.5 + 4
    repairs.note(28)
    assert repairs.next_at() == 28.5
