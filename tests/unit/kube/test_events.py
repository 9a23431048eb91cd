"""Events: limits, what is remembered, and the object that the API server accepts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.kube.events import (
    BURST,
    REFILL_SECONDS,
    Event,
    RateLimits,
    Regarding,
    Series,
    event_manifest,
    event_name,
    series_patch,
    shortened,
)

MOMENT = datetime(2026, 11, 21, 12, 0, 0, 250, tzinfo=UTC)
REGARDING = Regarding("kaito.sh/v1beta1", "Workspace", "default", "phi", "uid")


def event(**changes):
    return Event(**{"regarding": REGARDING, "is_warning": True, "reason": "Paused", "note": "x", "moment": MOMENT, **changes})


def test_a_burst_is_allowed_then_one_each_five_minutes_and_others_are_not_touched():
    limits = RateLimits()
    assert [limits.allow("a", 0.0) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert limits.allow("b", 0.0)
    assert not limits.allow("a", REFILL_SECONDS - 1)
    assert limits.allow("a", REFILL_SECONDS + 1)
    assert not limits.allow("a", REFILL_SECONDS + 1)


@given(st.lists(st.floats(0, 1000), max_size=80))
def test_never_more_than_the_burst_and_what_was_refilled(pauses):
    limits, now, allowed = RateLimits(), 0.0, 0
    for pause in pauses:
        now += pause
        allowed += limits.allow("a", now)
    assert allowed <= BURST + now / REFILL_SECONDS + 1e-6


def test_events_of_a_series_differ_only_in_words_and_time():
    later = event(note="y", moment=datetime(2027, 1, 1, tzinfo=UTC))
    assert event().identity == later.identity
    assert event_name(event()) != event_name(later)
    others = [
        event(reason="Ready"),
        event(is_warning=False),
        event(regarding=Regarding("v", "Workspace", "default", "phi", "new uid")),
    ]
    assert all(event().identity != other.identity for other in others)


def test_the_object():
    manifest = event_manifest(event(reason="R" * 200, note="é" * 600), "phi.1", "workspace-ctrl", "h" * 200)
    assert manifest["eventTime"] == "2026-11-21T12:00:00.000250Z"
    assert manifest["type"] == "Warning"
    assert event_manifest(event(is_warning=False), "phi.1", "c", "i")["type"] == "Normal"
    assert (len(manifest["reason"]), len(manifest["reportingInstance"])) == (128, 128)
    assert len(manifest["note"].encode()) <= 1024
    assert manifest["regarding"]["uid"] == "uid"


@pytest.mark.parametrize("name", ["a" * 253, "a" * 199 + "-b", "a" * 199 + ".b"])
def test_the_name_of_an_event_is_one_whatever_the_objects_name(name):
    made = event_name(event(regarding=Regarding("v", "Workspace", "default", name, "uid")))
    assert len(made) <= 253
    assert all(part and part[0].isalnum() and part[-1].isalnum() for part in made.split("."))


@given(st.text(max_size=2000))
def test_notes_are_cut_to_what_fits(note):
    cut = shortened(note)
    assert len(cut.encode()) <= 1024
    assert cut == note or (cut.endswith("...") and note.startswith(cut[:-3]))


def test_a_repeat_is_counted():
    series = Series("phi.1", 1, 0.0).again(5.0)
    assert (series.count, series.seen_at) == (2, 5.0)
    assert series_patch(series, MOMENT) == {"series": {"count": 2, "lastObservedTime": "2026-11-21T12:00:00.000250Z"}}
