"""Tests wait with one bound, which is far above what anything takes."""

import ast
import re

import pytest

from e2e.cluster.places import REPOSITORY
from e2e.waiting import WAIT_SECONDS, until, until_equal

SHORT = re.compile(r'--timeout=(\d+)s"')
IN_VAIN = {"tests/api/test_crd.py": 1}
"""By file: how many waits must be in vain."""
WAITS = {"until", "until_equal", "wait_for", "wait", "result", "communicate", "join", "timeout", "eventually"}
"""Functions with bounds that are given by position, and those that begin like `wait_`."""
COUNTS = {"wait_answered", "wait_all_from"}
"""Those of them that get numbers of requests."""
BY_NAME = {"timeout", "seconds"}
LEAST = 5
"""Seconds; what is shorter is a pause, or a number of something else."""
OF_THE_PRODUCT = {
    "tests/integration/kube/test_client.py": 1,  # the client's own patience
    "tests/integration/probe/test_hostile_servers.py": 3,  # a probe ends by itself, whatever is sent
    "tests/plane/test_model_hub.py": 1,  # a hub that does not answer holds up nobody
    "e2e/scenarios/test_scaling.py": 1,  # KEDA has read the queue
    "e2e/scenarios/test_install_ui.py": 2,  # a stream is read for so long, or refused
    "e2e/answers.py": 1,  # a request is lost
    "e2e/openai_requests.py": 1,
}
"""By file: how many bounds are what is tested."""
OF_THE_TOOLS = ("tests/unit/", "e2e/cluster/", "e2e/bench/", "e2e/agreement/")
"""Unit tests wait for nothing; the others bound what they do themselves, but for the tests of the local cluster."""


def sources():
    """The tests and their helpers, by their names."""
    for path in (path for folder in ("tests", "e2e") for path in sorted((REPOSITORY / folder).rglob("*.py"))):
        name = str(path.relative_to(REPOSITORY))
        if not name.startswith(OF_THE_TOOLS) or name.startswith("e2e/cluster/tests/"):
            yield name, path.read_text()


def number(node, constants):
    """The number that an expression is, itself or by the name of a constant of the module."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    return node.value if isinstance(node, ast.Constant) and type(node.value) in {int, float} else None


def constants_of(tree):
    """The numbers that the module gives names to."""
    named = (entry for entry in tree.body if isinstance(entry, (ast.Assign, ast.AnnAssign)))
    pairs = [(each.targets[0] if isinstance(each, ast.Assign) else each.target, each.value) for each in named]
    return {name.id: value for name, node in pairs if isinstance(name, ast.Name) and (value := number(node, {})) is not None}


def bounds_of(call):
    """The expressions that bound what a call waits for."""
    name = ast.unparse(call.func).rpartition(".")[2]
    by_position = call.args if name in WAITS or (name.startswith("wait_") and name not in COUNTS) else []
    return [*by_position, *(keyword.value for keyword in call.keywords if keyword.arg in {*BY_NAME, "total"})]


def defaults_of(function):
    """The defaults of parameters that are bounds."""
    by_position = function.args.args[len(function.args.args) - len(function.args.defaults) :]
    pairs = [
        *zip(by_position, function.args.defaults, strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    return [default for parameter, default in pairs if parameter.arg in BY_NAME]


def short_bounds(text):
    """What waits, but gives up early."""
    tree = ast.parse(text)
    constants = constants_of(tree)
    for node in ast.walk(tree):
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        found = defaults_of(node) if is_function else bounds_of(node) if isinstance(node, ast.Call) else []
        numbers = [value for each in found if (value := number(each, constants)) is not None]
        if any(LEAST <= value < WAIT_SECONDS for value in numbers) and ".mark.timeout" not in ast.unparse(node):
            yield node.name if is_function else ast.unparse(node)


def test_no_command_in_a_test_of_a_cluster_has_a_shorter_bound_of_its_own():
    short = {}
    for name, text in sources():
        found = [bound for bound in SHORT.findall(text) if int(bound) < WAIT_SECONDS]
        short |= {name: len(found)} if found else {}
    assert short == IN_VAIN


def test_no_wait_in_a_test_has_a_shorter_bound_of_its_own():
    found = {name: list(short_bounds(text)) for name, text in sources()}
    assert {name: len(calls) for name, calls in found.items() if calls} == OF_THE_PRODUCT, found


@pytest.mark.parametrize(
    "call",
    [
        "until(holds, 'rain', 60)",
        "asyncio.wait_for(news.get(), 10)",
        "process.wait(timeout=30)",
        "process.wait(SECONDS)",
        "subprocess.run(command, timeout=30)",
        "ClientTimeout(total=30)",
    ],
)
def test_a_shorter_bound_is_found(call):
    assert list(short_bounds(f"SECONDS = 60\nasync def run():\n    await {call}")) == [call]


@pytest.mark.parametrize("parameter", ["seconds=20", "*, timeout=SECONDS"])
def test_a_default_that_is_a_shorter_bound_is_found(parameter):
    assert list(short_bounds(f"SECONDS: Final = 60\ndef ask({parameter}):\n    pass")) == ["ask"]


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
