"""How a new list of conditions follows from the old one."""

from datetime import timedelta

from tests.unit.factories import NOW, condition
from workspace_ctrl.api.conditions import MESSAGE_LIMIT, carry_times, format_time, parse_conditions


def test_the_transition_time_stays_while_the_status_does():
    (first,) = carry_times([], [condition("Ready", "False")], 3, NOW)
    (second,) = carry_times([first], [condition("Ready", "False", reason="Other", message="other")], 3, NOW + timedelta(hours=1))
    assert second.last_transition_time == first.last_transition_time == format_time(NOW)
    assert second.reason == "Other"


def test_the_transition_time_moves_with_the_status():
    (first,) = carry_times([], [condition("Ready", "False")], 3, NOW)
    (second,) = carry_times([first], [condition("Ready", "True")], 3, NOW + timedelta(hours=1))
    assert second.last_transition_time == "2026-11-21T13:00:00Z"


def test_long_messages_are_cut():
    (cut,) = carry_times([], [condition("Ready", message="x" * 100_000)], 3, NOW)
    assert len(cut.message) == MESSAGE_LIMIT
    assert cut.message.endswith("...")


def test_what_is_no_condition_is_left_out():
    assert parse_conditions(None) == ()
    assert parse_conditions([1, "a", {}, {"type": 3}]) == ()
    assert [entry.type for entry in parse_conditions([{"type": "Ready", "status": "True", "message": None}])] == ["Ready"]


def test_a_condition_without_a_generation_counts_as_current():
    assert condition("Accepted", generation=None).speaks_of(7)
    assert not condition("Accepted", generation=6).speaks_of(7)
