"""How a new list of conditions follows from the old one."""

from datetime import timedelta
from functools import reduce

import pytest

from tests.unit.factories import NOW, condition
from workspace_ctrl.api.conditions import carry_times, format_time, parse_brief_conditions, parse_conditions
from workspace_ctrl.api.printable_text import MESSAGE_LIMIT


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


def test_messages_are_on_one_line_and_steer_no_terminal():
    (written,) = carry_times([], [condition("Ready", message="one\ntwo \x1b[2J \u202e")], 3, NOW)
    assert written.message == "one two \\x1b[2J \\u202e"


@pytest.mark.parametrize("reason", ["", "not a word", "x" * 2000, "Bad\n", "7Up"])
def test_a_reason_that_the_api_does_not_take_is_not_written(reason):
    (written,) = carry_times([], [condition("Ready", reason=reason)], 3, NOW)
    assert written.reason == "Unspecified"


def test_a_time_that_the_api_does_not_take_is_written_anew():
    stored = parse_conditions([{"type": "Ready", "status": "True", "lastTransitionTime": "yesterday"}])
    (written,) = carry_times(stored, [condition("Ready")], 3, NOW)
    assert written.last_transition_time == format_time(NOW)


def test_of_others_no_more_is_kept_than_we_write():
    raw = [{"type": "Ready", "status": "False", "reason": "r" * 9999, "message": "chart \n" * 9999}]
    for (kept,) in (parse_conditions(raw), parse_brief_conditions(raw)):
        assert len(kept.message) <= MESSAGE_LIMIT
        assert "\n" not in kept.message
        assert len(kept.reason) <= MESSAGE_LIMIT
    assert len(parse_conditions([{"type": f"T{n}"} for n in range(9999)])) < 1000


def test_a_condition_of_any_shape_is_read():
    deep = reduce(lambda inside, _: [inside], range(3000), "x")
    (kept,) = parse_conditions([{"type": "Ready", "status": deep, "reason": deep, "message": deep, "lastTransitionTime": deep}])
    assert (kept.status, kept.reason, kept.message, kept.last_transition_time) == ("", "", "", "")
