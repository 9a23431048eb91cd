"""Waits between attempts: doubled up to a longest one, and short again after a time of quiet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy, jittered

POLICY = BackoffPolicy(first=0.5, longest=4.0, reset_after=10.0)


def test_the_first_attempt_waits_for_nothing():
    assert Backoff(POLICY).is_due(-1e9)
    assert Backoff(POLICY).delay == 0.0


def test_waits_double_up_to_the_longest():
    backoff, now, delays = Backoff(POLICY), 100.0, []
    for _ in range(6):
        backoff = backoff.again(now)
        delays.append(backoff.delay)
        now = backoff.due_at
    assert delays == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize(("quiet", "attempts"), [(10.0, 3), (10.1, 1)])
def test_quiet_after_a_wait_makes_the_next_attempt_a_first_one(quiet, attempts):
    backoff = Backoff(POLICY).again(0.0).again(0.5)
    assert backoff.again(backoff.due_at + quiet).attempts == attempts


def test_thousands_of_attempts_wait_no_longer_than_the_longest():
    backoff = Backoff(POLICY, attempts=100_000, last=0.0)
    assert backoff.again(1.0).delay == 4.0


@given(pauses=st.lists(st.floats(0, 30), max_size=30))
def test_it_is_due_exactly_from_its_moment_on(pauses):
    backoff, now = Backoff(POLICY), 0.0
    for pause in pauses:
        now += pause
        assert backoff.is_due(now) == (now >= backoff.due_at)
        backoff = backoff.again(now)
        assert 0 < backoff.delay <= POLICY.longest


@pytest.mark.parametrize(("least", "most"), [(0.5, 1.5), (0.8, 1.0)])
def test_jitter_spreads_waits_over_all_it_may_and_no_further(least, most):
    waits = [jittered(10.0, least, most) for _ in range(1000)]
    tenth = most - least  # of what it spreads ten seconds over
    assert 10 * least <= min(waits) < 10 * least + tenth
    assert 10 * most - tenth < max(waits) <= 10 * most


def test_no_wait_stays_none():
    assert jittered(0.0, 0.5, 1.5) == 0.0
