"""What is counted of pods from one reading to the next, whatever their counters do."""

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspace_ctrl.load.counters import CountedPods, Counters, PodCount
from workspace_ctrl.model.canary import CanaryCount, CanaryPhase, CanaryPlan, CountingServer, Figures
from workspace_ctrl.planning.traffic.canary import Observed, advance

PLAN = CanaryPlan("r1", steps=(10, 50), interval=10.0, max_error_rate=0.01, max_latency_ratio=1.5)
COUNTERS = st.builds(
    Counters,
    statuses=st.dictionaries(st.sampled_from(["2xx", "4xx", "5xx", "503", "404", ""]), st.integers(0, 2**53)),
    answers=st.integers(0, 2**53),
    seconds=st.floats(0, 2**53),
    has_http_durations=st.booleans(),
    process=st.none() | st.sampled_from([1.0, 2.0]),
)

ENGINE, HTTP = Counters(answers=3, seconds=9.0), Counters(answers=1, seconds=4.0, has_http_durations=True)


def served(good, failed=0, rejected=0, process=None):
    return Counters({"2xx": good, "5xx": failed, "4xx": rejected}, process=process)


def counted(*readings):
    """What was counted of a pod whose readings are given with how often its containers had been restarted."""
    (first, restarts), *others = readings
    pod = PodCount(first, restarts)
    for counters, number in others:
        pod = pod.read(counters, number)
    return pod


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        pytest.param([(served(20), 0), (served(30, 2), 0)], Figures(12, 2), id="growth"),
        pytest.param([(served(20), 0), (served(5, 1), 1)], Figures(6, 1), id="restarted, and counts from zero"),
        pytest.param([(served(20), 0), (served(25), 1)], Figures(5), id="restarted, and has counted more since"),
        pytest.param(
            [(served(20, process=1.0), 0), (served(25, process=2.0), 1)], Figures(25), id="restarted, as its process says"
        ),
        pytest.param([(served(20), 0), (served(19), 0)], None, id="fallen"),
        pytest.param([(served(60, 50), 0), (served(100, 0), 0)], None, id="one status has fallen, the sum has not"),
        pytest.param([(served(10), 0), (Counters({"2xx": 0, "200": 11}), 0)], None, id="a status that is not there any more"),
        pytest.param([(Counters(answers=5), 0), (Counters(answers=4), 0)], None, id="answers"),
        pytest.param([(ENGINE, 0), (HTTP, 0)], Figures(answers=1, seconds=4.0), id="answers of the engine, then of the server"),
        pytest.param([(HTTP, 0), (ENGINE, 0)], None, id="answers of the server, which are not there any more"),
        pytest.param([(served(20, process=1.0), 0), (served(30, 9, process=2.0), 0)], None, id="another process, with more"),
        pytest.param([(served(20), 0), (served(5), 0), (served(70), 0)], None, id="and has grown later"),
        pytest.param([(served(20), 0), (served(5), 0), (served(9), 1)], Figures(4), id="whose restart is known after its counters"),
    ],
)
def test_what_counts_of_a_pod(readings, expected):
    found = counted(*readings)
    assert (found.has_several_processes, found.counted) == (expected is None, expected or Figures())


@given(st.lists(st.tuples(COUNTERS, st.integers(0, 3)), min_size=1, max_size=8), COUNTERS, st.floats(0, 100))
@example([(served(100, 0), 0), (served(60, 50), 0), (served(100, 0), 0)], Counters(), 11.0)
@example([(served(100, 0), 0), (served(60, 50), 1)], Counters(), 11.0)
def test_no_readings_are_an_error_or_more_failures_than_requests(readings, others, seconds):
    found = counted(*readings).counted
    assert min(found.requests, found.errors, found.rejected, found.answers, found.seconds) >= 0
    assert found.errors + found.rejected <= found.requests
    assert math.isfinite(found.seconds)
    least, most = found.rejection_rates
    assert 0 <= least <= most <= 1
    assert 0 <= found.certain_error_rate <= 1
    count = CanaryCount("r1/0", seconds, found, others.since(Counters()))
    state = advance(None, PLAN, Observed(count)).state
    assert found.requests >= 20 or (state.phase, state.step) != (CanaryPhase.PROMOTED, 1)
    assert found.requests or (state.phase, state.step) == (CanaryPhase.PROGRESSING, 0)


SERVER = (CountingServer("a", "v2-a", "10.0.0.1", 8000),)


def looks(processes, order):
    """Yield what is decided after each reading of a server that gets no requests, and is answered for by one of its processes."""
    pods, state = CountedPods(), None
    for number in order:
        found = {"a": processes[number % len(processes)]}
        pods = pods.read(SERVER, found)
        count = CanaryCount("r1/0", 11.0, pods.total, Figures(), pods.unknown(SERVER, found))
        state = advance(state, PLAN, Observed(count)).state
        yield pods, state


PROCESSES = st.lists(COUNTERS, min_size=1, max_size=4)
ORDER = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(PROCESSES, ORDER)
def test_processes_that_answer_in_turns_are_neither_promoted_nor_stopped_without_requests(processes, order):
    known = [replace(each, process=float(number)) for number, each in enumerate(processes)]
    for pods, state in looks(known, order):
        assert pods.total == Figures()
        assert (state.phase, state.step) == (CanaryPhase.PROGRESSING, 0)


@given(PROCESSES, ORDER)
@example([served(25), served(24)], [0, 1] * 20)
def test_from_the_first_fall_on_nothing_of_processes_that_tell_nothing_about_themselves_counts(processes, order):
    unknown = [replace(each, process=None) for each in processes]
    answers = [unknown[number % len(unknown)] for number in order]
    falls = [number for number in range(1, len(answers)) if answers[number].is_behind(answers[number - 1])]
    for number, (pods, _) in enumerate(looks(unknown, order)):
        if falls and number >= falls[0]:
            assert pods.total == Figures()
            assert "its counters fall" in pods.unknown(SERVER, {"a": unknown[0]})


@given(st.integers(-5, 2**1100), st.integers(-5, 2**1100))
def test_certainty_is_told_of_all_numbers(count, total):
    found = Figures(total, count, count)
    least, most = found.rejection_rates
    assert 0 <= least <= most <= 1
    assert found.certain_error_rate == least
