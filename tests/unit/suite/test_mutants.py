"""Mutants: each is another program, each place of a module is changed, and unit tests of its folder judge it."""

import ast

import pytest

from tests.mutants.__main__ import WITHOUT_EFFECT, modules, without_effect
from tests.mutants.operators import mutants
from tests.mutants.trial import judges_of


def made(source):
    """The changed sources."""
    return [ast.unparse(each.tree(source)) for each in mutants("workspace_ctrl/x.py", source)]


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a is None", ["a is not None"]),
        ("a - b", ["a + b"]),
        ("a and b", ["a or b", "a"]),
        ("a or b or c", ["a and b and c", "a or b"]),
        ("not a", ["a"]),
        ("a if b else c", ["a", "c"]),
        ("if a:\n    b", ["if not a:\n    b"]),
        ("f(True)", ["f(False)"]),
        ("f(3)", ["f(4)"]),
        ("{'a': b, 'c': d}", ["{'a': b}"]),
        ("f'{a}' + b", []),
        ("'text' + b", []),
        ("def f(a: int | None) -> 'x | y': ...", []),
        ("import a", []),
        ("@dataclass(frozen=True)\nclass A: ...", []),
    ],
)
def test_one_place_is_changed_at_a_time(source, changed):
    assert made(source) == changed


def test_every_mutant_is_named_by_its_function_and_what_is_changed():
    (found,) = mutants("workspace_ctrl/x.py", "class A:\n    def f(self):\n        return a < b\n")
    assert (found.title, found.line) == ("workspace_ctrl/x.py | f | a < b | a <= b", 3)


def test_what_has_no_effect_is_still_in_the_code_and_has_a_reason():
    known = without_effect()
    paths = {title.partition(" | ")[0] for title in known}
    every = {each.title for path in paths for each in mutants(path, open_module(path))}
    assert known - every == set()
    entries = [line for line in WITHOUT_EFFECT.read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.partition(" # ")[2].strip() for line in entries)


def open_module(path):
    return (WITHOUT_EFFECT.parents[2] / path).read_text()


def test_the_nearest_tests_are_run_first():
    def names(path):
        return [[place.rpartition("tests/")[2] for place in group] for group in judges_of(path)]

    others = [["unit/readiness", "unit/cases"], ["integration/planning"]]
    own = ["unit/planning/preset/test_gpu_sizing.py"]
    assert names("workspace_ctrl/planning/preset/gpu_sizing.py") == [own, ["unit/planning/preset"], ["unit/planning"], *others]
    assert names("workspace_ctrl/planning/vllm/gpu_parallelism.py") == [["unit/planning/vllm"], ["unit/planning"], *others]
    assert names("workspace_ctrl/probe/trusted_targets.py")[-1] == ["integration/probe"]


def test_modules_are_chosen_by_folder_or_file():
    assert modules(["workspace_ctrl/readiness/workload.py"], "") == ["workspace_ctrl/readiness/workload.py"]
    assert set(modules(["workspace_ctrl/readiness"], "")) < set(modules([], ""))
