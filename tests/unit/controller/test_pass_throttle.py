"""When a status is written, and when the next pass may begin."""

import pytest

from workspace_ctrl.controller.pass_throttle import Load, Throttle
from workspace_ctrl.controller.status_write_interval import Intervals, StatusThrottle
from workspace_ctrl.readiness.status_urgency import WriteDecision, WriteTiming

INTERVALS = Intervals(first=1.0, settle=0.5, progress=2.0, rejected=30.0)
SETTLING = frozenset({("Ready", "True", "Ready")})


def hold(throttle, urgency, now, load=1.0, settling=frozenset()):
    return throttle.hold(WriteDecision(urgency, settling), now, load, INTERVALS)


@pytest.mark.parametrize(("now", "delay"), [(9.0, 2.0), (10.5, 0.5), (11.0, 0.0), (20.0, 0.0)])
def test_it_may_happen_again_after_its_interval(now, delay):
    assert Throttle(since=10.0).delay(now, 1.0) == delay
    assert Throttle().delay(now, 1.0) == 0.0


@pytest.mark.parametrize(("urgency", "delay"), [(WriteTiming.NEVER, None), (WriteTiming.NOW, 0.0)])
def test_some_changes_wait_for_nothing(urgency, delay):
    assert hold(StatusThrottle(written=Throttle(10.0)), urgency, 10.0)[1] == delay


def test_a_first_status_that_is_not_good_waits_where_many_come_at_once():
    throttle = StatusThrottle(first_seen=Throttle(10.0))
    assert hold(throttle, WriteTiming.FIRST, 10.0, load=1.0)[1] == 0.0
    assert hold(throttle, WriteTiming.FIRST, 10.0, load=4.0)[1] == 3.0


def test_what_settles_is_written_when_it_has_held_for_a_moment():
    throttle, delay = hold(StatusThrottle(), WriteTiming.SETTLED, 10.0, settling=SETTLING)
    assert delay == 0.5
    throttle, delay = hold(throttle, WriteTiming.SETTLED, 10.4, settling=SETTLING)
    assert delay == pytest.approx(0.1)
    assert hold(throttle, WriteTiming.SETTLED, 10.5, settling=SETTLING)[1] == 0.0


def test_what_settles_begins_anew_when_it_changes():
    throttle, _ = hold(StatusThrottle(), WriteTiming.SETTLED, 10.0, settling=SETTLING)
    throttle, _ = hold(throttle, WriteTiming.LATER, 10.3)
    assert hold(throttle, WriteTiming.SETTLED, 10.4, settling=SETTLING)[1] == 0.5


def test_progress_is_as_rare_as_the_largest_load_since_the_newest_write():
    throttle = StatusThrottle().after_write(10.0, 1.0)
    throttle, delay = hold(throttle, WriteTiming.LATER, 10.0, load=5.0)
    assert delay == 10.0
    throttle, delay = hold(throttle, WriteTiming.LATER, 12.0, load=1.0)
    assert delay == 8.0
    assert hold(throttle.after_write(12.0, 1.0), WriteTiming.LATER, 12.0, load=1.0)[1] == 2.0


def test_the_load_is_that_of_workspaces_in_progress():
    load = Load()
    assert (load.factor, load.share) == (1.0, 0.0)
    for number in range(25):
        load.set(("ns", str(number)), in_progress=True)
    load.set(("ns", "0"), in_progress=False)
    load.set(("ns", "never seen"), in_progress=False)
    assert (load.factor, load.share) == (2.4, 1.0)


@pytest.mark.parametrize(("in_progress", "stretch"), [(0, 0.0), (1, 0.1), (10, 1.0), (25, 1.0), (50, 2.0), (75, 3.0), (1000, 3.0)])
def test_passes_are_made_less_often_the_more_workspaces_are_in_progress(in_progress, stretch):
    load = Load()
    for number in range(in_progress):
        load.set(("ns", str(number)), in_progress=True)
    assert load.stretch == pytest.approx(stretch)


def test_the_delay_of_a_first_status_begins_when_there_is_one():
    throttle, delay = hold(StatusThrottle(), WriteTiming.FIRST, 10.0, load=4.0)
    assert delay == 3.0
    throttle, delay = hold(throttle, WriteTiming.FIRST, 12.0, load=6.0)
    assert delay == 3.0
    assert hold(throttle, WriteTiming.FIRST, 13.0, load=4.0)[1] == 0.0
