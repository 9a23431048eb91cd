"""The time that builds still take, by an invented clock."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import pytest

from e2e.cluster.catalog import FOLDERS
from e2e.cluster.time_left import TimeLeft, Usual


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_at_first_it_is_what_a_usual_machine_takes(clock):
    left = TimeLeft({"a": Usual(10, 800), "b": Usual(10, 160)}, clock, cores=2)
    assert left.seconds() == 960 / (2 * 0.8)
    assert str(left) == "about 10 min left"


def test_it_follows_the_speed_of_this_machine(clock):
    left = TimeLeft({"a": Usual(99, 1000)}, clock, cores=2)
    for _ in range(50):
        left.compiled("a")
    clock.now += 970  # half of it, at half a CPU second per second
    assert left.seconds() == pytest.approx(500 / ((500 + 48) / 1000))


def test_what_is_finished_early_counts_whole_and_nothing_before_its_end(clock):
    left = TimeLeft({"a": Usual(9, 300), "b": Usual(9, 100)}, clock, cores=2)
    for _ in range(500):
        left.compiled("a")
    clock.now += 60
    before = left.seconds()
    left.finished("a")
    after = left.seconds()
    assert 0 < after < before
    left.finished("b")
    assert (left.seconds(), str(left)) == (0, "about a minute left")


def test_what_is_built_beside_them_by_others_is_no_error(clock):
    left = TimeLeft({"a": Usual(9, 300)}, clock, cores=1)
    whole = left.seconds()
    left.compiled("unknown")
    left.finished("unknown")
    assert left.seconds() == whole


def test_what_was_never_measured_takes_as_long_as_its_packages(clock):
    """KEDA has three times as many as was assumed: the last quarter of an hour was "about a minute left"."""
    left = TimeLeft({"keda": None}, clock, cores=2)
    left.at_most("keda", 3700)
    for _ in range(1850):
        left.compiled("keda")
    clock.now += 500
    assert left.seconds() == pytest.approx(370 / ((370 + 48) / 530), rel=0.01)


def test_what_was_measured_is_known_better(clock):
    left = TimeLeft({"a": Usual(10, 800)}, clock, cores=2)
    before = left.seconds()
    left.at_most("a", 3700)
    left.at_most("unknown", 1)
    assert left.seconds() == before


def test_what_every_cluster_needs_was_measured():
    for name in ("kubernetes", "flux", "istio", "inference", "coredns", "kwok"):
        usual = FOLDERS[name].usual
        assert usual is not None
        assert usual.packages > 0
        assert usual.cpu_seconds > 0
