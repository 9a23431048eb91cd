"""A status that another controller replaces is written again: at once, and more and more rarely where that goes on."""

from dataclasses import replace

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.status_writes.restored_status import RestoredStatus

NOTHING = WorkspaceStatus()


def status(reason):
    return WorkspaceStatus(conditions=(Condition("GatewayReady", "False", reason),))


def test_what_nobody_has_replaced_waits_for_nothing():
    restored = RestoredStatus()
    for now in range(50):
        assert restored.delay(status(str(now)), now) == 0
        restored = restored.after_write(status(str(now)), status(str(now + 1)), now)
    assert restored.backoff.attempts == 0


def fight(seconds, wanted, theirs):
    """How often a status is written that is replaced as soon as it was."""
    restored, now, writes = RestoredStatus().after_write(NOTHING, wanted, 0.0), 0.0, 0
    while now < seconds:
        now += restored.delay(theirs, now)
        restored, writes = restored.after_write(theirs, wanted, now), writes + 1
        now += 0.01
    return writes


def test_a_fight_ends_with_one_write_a_minute():
    assert fight(60, status("Ours"), NOTHING) < 12
    assert fight(3600, status("Ours"), status("Older")) < 75


def test_five_times_in_a_row_are_restored_within_two_seconds_each():
    restored, now = RestoredStatus().after_write(NOTHING, status("Ours"), 0.0), 0.0
    for _ in range(5):
        delay = restored.delay(NOTHING, now)
        assert delay < 2
        now += delay
        restored = restored.after_write(NOTHING, status("Ours"), now)


def test_after_a_pause_it_is_at_once_again():
    restored, now = RestoredStatus().after_write(NOTHING, status("Ours"), 0.0), 0.0
    for _ in range(8):
        now += restored.delay(NOTHING, now)
        restored = restored.after_write(NOTHING, status("Ours"), now)
    assert restored.delay(NOTHING, now) > 5
    later = now + restored.backoff.delay + 6
    restored = restored.after_write(NOTHING, status("Ours"), later)
    assert restored.delay(NOTHING, later) < 0.2


def test_what_was_removed_keeps_its_time():
    before, now = (
        Condition("GatewayReady", "True", "Good", "", 1, time) for time in ("2026-11-27T12:00:00Z", "2026-11-27T13:00:00Z")
    )
    restored = RestoredStatus().after_write(NOTHING, WorkspaceStatus(conditions=(before,)), 0.0)
    assert restored.timed(WorkspaceStatus(conditions=(now,))).conditions == (before,)
    changed = WorkspaceStatus(conditions=(replace(now, status="False"),))
    assert restored.timed(changed) is changed
