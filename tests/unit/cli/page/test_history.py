"""The history of an object."""

from datetime import UTC, datetime

from tests.unit.cli.page.objects import BROKEN, LATER, TIME, workspace
from workspace_ctrl.api.conditions import parse_conditions
from workspace_ctrl.cli.page.history import MOST_ENTRIES, history, transitions

NOW = datetime(2026, 11, 28, 2, tzinfo=UTC)
EVENT = {
    "metadata": {"creationTimestamp": TIME},
    "involvedObject": {"kind": "Pod", "name": "phi-0"},
    "type": "Warning",
    "reason": "Failed",
    "message": "no such image",
    "lastTimestamp": "2026-11-28T01:15:00.123456Z",
    "count": 3,
}


def conditions(*changed):
    return parse_conditions(workspace(*changed)["status"]["conditions"])


def changes(before, after):
    return [(entry.time, entry.subject, entry.status, entry.reason) for entry in transitions(before, after, NOW)]


def test_a_new_status_has_the_time_of_the_condition():
    assert changes(conditions(), conditions(BROKEN[0])) == [(LATER, "Ready", "False", "EndpointPickerScaledToZero")]


def test_a_new_reason_has_the_time_at_which_it_was_seen():
    other = {**BROKEN[0], "reason": "ChartFailed"}
    assert changes(conditions(BROKEN[0]), conditions(other)) == [("2026-11-28T02:00:00Z", "Ready", "False", "ChartFailed")]


def test_nothing_has_changed():
    assert changes(conditions(), conditions()) == []


def test_a_condition_is_gone():
    assert changes(conditions(BROKEN[0])[:1], ()) == [("2026-11-28T02:00:00Z", "Ready", "removed", "")]


def test_the_newest_entry_is_first_and_none_is_twice():
    seen = [*transitions(conditions(), conditions(BROKEN[0]), NOW)]
    found = history(conditions(BROKEN[0]), seen, [EVENT])
    assert [(entry.time, entry.subject) for entry in found[:2]] == [(LATER, "Ready"), ("2026-11-28T01:15:00Z", "Pod/phi-0")]
    assert sum(entry.subject == "Ready" for entry in found) == 1


def test_an_event_says_how_often_it_has_happened():
    (found,) = history((), (), [EVENT])
    assert (found.is_event, found.count, found.status, found.message) == (True, 3, "Warning", "no such image")


def test_a_long_history_is_cut():
    assert len(history((), (), [EVENT] * 1000)) == MOST_ENTRIES
