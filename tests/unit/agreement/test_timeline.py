"""Two time lines, merged."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.agreement.timeline import (
    Change,
    Disagreement,
    Sample,
    Stretch,
    agreed_since,
    disagreement,
    stretches,
    unchanged_since,
    well_since,
)


def line(text):
    """Return a sample a second: o is answered, x is not."""
    return [Sample(float(at), letter == "o") for at, letter in enumerate(text)]


def test_a_condition_that_follows_late_is_true_while_requests_fail():
    found = stretches(line("ooxxxooo"), [Change(0.0, ready=True), Change(3.5, ready=False), Change(6.25, ready=True)], 0.0, 8.0)
    assert found == [
        Stretch(0.0, 2.0, ready=True, ok=True),
        Stretch(2.0, 3.5, ready=True, ok=False),
        Stretch(3.5, 5.0, ready=False, ok=False),
        Stretch(5.0, 6.25, ready=False, ok=True),
        Stretch(6.25, 8.0, ready=True, ok=True),
    ]
    assert disagreement(found) == Disagreement(failing=3.0, true_while_failing=1.5, false_while_working=1.25)


def test_what_came_before_the_start_still_holds_at_the_start():
    samples, changes = line("xo"), [Change(-5.0, ready=True), Change(-4.0, ready=False)]
    assert stretches(samples, changes, 0.5, 1.5) == [
        Stretch(0.5, 1.0, ready=False, ok=False),
        Stretch(1.0, 1.5, ready=False, ok=True),
    ]


def test_requests_that_were_given_up_late_count_from_when_they_were_sent():
    hanging, later = Sample(1.0, ok=False), Sample(2.0, ok=True)
    assert stretches([later, hanging], [Change(0.0, ready=True)], 1.0, 3.0)[0] == Stretch(1.0, 2.0, ready=True, ok=False)


@pytest.mark.parametrize(("samples", "changes"), [([], [Change(0.0, ready=True)]), ([Sample(0.0, ok=True)], [])])
def test_nothing_seen_is_not_agreement(samples, changes):
    with pytest.raises(ValueError, match="nothing to compare"):
        stretches(samples, changes, 0.0, 1.0)


def test_agreement_counts_from_the_last_difference():
    found = stretches(line("ooxxo"), [Change(0.0, ready=True), Change(2.5, ready=False), Change(4.0, ready=True)], 0.0, 5.0)
    assert agreed_since(found) == 2.5
    assert agreed_since(stretches(line("ox"), [Change(0.0, ready=True)], 0.0, 2.0)) is None
    assert agreed_since([]) is None


def test_calm_is_what_does_not_change_even_where_both_differ():
    found = stretches(line("xoo"), [Change(0.0, ready=False)], 0.0, 3.0)
    assert unchanged_since(found) == 1.0
    assert agreed_since(found) is None
    assert unchanged_since([]) is None


def test_well_is_answered_and_true():
    assert well_since(stretches(line("xoo"), [Change(0.0, ready=True)], 0.0, 3.0)) == 1.0
    assert well_since(stretches(line("xxx"), [Change(0.0, ready=False)], 0.0, 3.0)) is None
    assert well_since([]) is None


moments = st.floats(0.0, 100.0)


@given(
    st.lists(st.builds(Sample, moments, st.booleans()), min_size=1),
    st.lists(st.builds(Change, moments, st.booleans()), min_size=1),
    st.floats(0.0, 49.0),
    st.floats(50.0, 100.0),
)
def test_stretches_cover_the_time_without_gaps_and_neighbours_differ(samples, changes, start, end):
    found = stretches(samples, changes, start, end)
    assert (found[0].start, found[-1].end) == (start, end)
    for one, following in pairwise(found):
        assert one.end == following.start
        assert (one.ready, one.ok) != (following.ready, following.ok)
    differ = disagreement(found)
    assert differ.true_while_failing <= differ.failing <= end - start + 1e-6
