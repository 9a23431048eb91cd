"""Tests wait with one bound, which is far above what anything takes."""

import ast
import re

import pytest

from e2e.cluster.places import REPOSITORY
from e2e.waiting import WAIT_SECONDS, until, until_equal

SHORT = re.compile(r'--timeout=(\d+)s"')
IN_VAIN = {"tests/api/test_crd.py": 1}
"""By file: how many waits must be in vain."""
WAITS = {"until", "until_equal", "wait_for", "wait", "result", "communicate", "join", "timeout"}
"""Functions whose bounds are numbers, and those that begin like `wait_`."""
LEAST = 5
"""Seconds; what is shorter is meant to be over, and 0 is a look without waiting."""
OF_THE_PRODUCT = {"tests/integration/probe/test_hostile_servers.py": 3}
"""By file: how many bounds are what is tested."""


def sources():
    """The tests and their helpers, by their names, but for those of the local cluster and the unit tests, which wait for nothing."""
    for path in (path for folder in ("tests", "e2e") for path in sorted((REPOSITORY / folder).rglob("*.py"))):
        name = str(path.relative_to(REPOSITORY))
        if not name.startswith(("tests/unit/", "e2e/cluster/")):
            yield name, path.read_text()


def short_bounds(text):
    """The calls that wait, but give up early."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    for call in calls:
        name = ast.unparse(call.func)
        bounds = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in {"timeout", "seconds"})]
        numbers = [node.value for node in bounds if isinstance(node, ast.Constant) and type(node.value) in {int, float}]
        last = name.rpartition(".")[2]
        is_wait = last in WAITS or last.startswith("wait_")
        if is_wait and any(LEAST <= number < WAIT_SECONDS for number in numbers):
            yield ast.unparse(call)


def test_no_command_in_a_test_of_a_cluster_has_a_shorter_bound_of_its_own():
    short = {}
    for name, text in sources():
        found = [bound for bound in SHORT.findall(text) if int(bound) < WAIT_SECONDS]
        short |= {name: len(found)} if found else {}
    assert short == IN_VAIN


def test_no_wait_in_a_test_has_a_shorter_bound_of_its_own():
    found = {name: list(short_bounds(text)) for name, text in sources()}
    assert {name: len(calls) for name, calls in found.items() if calls} == OF_THE_PRODUCT, found


@pytest.mark.parametrize("call", ["until(holds, 'rain', 60)", "asyncio.wait_for(news.get(), 10)", "process.wait(timeout=30)"])
def test_a_shorter_bound_is_found(call):
    assert list(short_bounds(f"await {call}")) == [call]


def test_waiting_in_vain_says_for_what():
    with pytest.raises(AssertionError, match="waited in vain for rain"):
        until(lambda: False, "rain", seconds=0)


def test_waiting_for_a_value_in_vain_says_which_one_was_there():
    with pytest.raises(AssertionError, match="waited in vain for the weather: sun, not rain"):
        until_equal(lambda: "sun", "rain", "the weather", seconds=0)


def test_waiting_ends_with_what_is_waited_for():
    days = iter(("sun", "rain"))
    until_equal(lambda: next(days), "rain", "the weather")
    assert list(days) == []
