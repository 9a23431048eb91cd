"""A function of planning takes the records that it reads: only the modules on top know the whole snapshot."""

import ast

import pytest

from tests.unit.architecture.source_tree import TREES, functions

ON_TOP = {"planning/plan.py", "planning/desired_state.py", "planning/preview.py"}


def takers_of_snapshots(tree):
    """Return the names of the functions with a parameter that is annotated with Snapshot, alone or within another type."""
    return {function.name for function in functions(tree) if any(names_snapshot(each) for each in parameters(function.args))}


def parameters(args):
    return [each for each in (*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg) if each is not None]


def names_snapshot(parameter):
    return parameter.annotation is not None and "Snapshot" in {
        part
        for node in ast.walk(parameter.annotation)
        for part in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            *(node.value.replace("|", " ").split() if isinstance(node, ast.Constant) and isinstance(node.value, str) else ()),
        )
    }


def test_only_the_modules_on_top_of_planning_take_snapshots():
    found = {path for path, tree in TREES.items() if path.startswith("planning/") and takers_of_snapshots(tree)}
    assert found == ON_TOP


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(snapshot: Snapshot): ...", True),
        ("def f(*, world: Snapshot | None = None): ...", True),
        ("def f(*worlds: Snapshot): ...", True),
        ("async def f(world: 'Snapshot | None'): ...", True),
        ("class C:\n    def f(self, world: snapshot.Snapshot): ...", True),
        ("def f(make: Callable[[Snapshot], None]): ...", True),
        ("def f(route: HTTPRoute | None) -> Snapshot: ...", False),
        ("def f(chart: ChartObjects): ...", False),
        ("def f(snapshot): ...", False),
    ],
)
def test_a_parameter_that_takes_a_snapshot_is_recognised(source, expected):
    assert bool(takers_of_snapshots(ast.parse(source))) is expected
