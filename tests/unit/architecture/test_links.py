"""A link function takes the few records it reads; only the table of the chain and the status read a whole snapshot."""

import ast
from pathlib import Path

import pytest

import workspace_ctrl

READINESS = Path(workspace_ctrl.__file__).parent / "readiness"
MOST_PARAMETERS = 5
READS_SNAPSHOTS = {"chain.py", "status.py"}
"""The table says where the inputs of links come from, the status shows what is there."""
MOST_MODULES = 16


def links(source):
    """The link functions of `source`, by name."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: node for node in functions if node.name.endswith("_link")}


def parameters(function):
    given = function.args
    further = [entry for entry in (given.vararg, given.kwarg) if entry is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *further]


def takes_snapshot(function):
    """Whether a parameter's annotation names Snapshot in any way; one without an annotation may be anything."""
    return any(entry.annotation is None or "Snapshot" in ast.unparse(entry.annotation) for entry in parameters(function))


def modules():
    return {path.name: path.read_text() for path in READINESS.glob("*.py") if path.name != "__init__.py"}


def test_a_link_takes_at_most_five_records_and_never_a_snapshot():
    found = {name: function for source in modules().values() for name, function in links(source).items()}
    assert {"workload_link", "gateway_link", "source_link", "pool_link", "probe_link"} <= set(found)
    assert [name for name, function in found.items() if takes_snapshot(function)] == []
    assert {
        name: len(parameters(function)) for name, function in found.items() if len(parameters(function)) > MOST_PARAMETERS
    } == {}


def test_only_the_table_and_the_status_read_snapshots():
    assert {name for name, source in modules().items() if "Snapshot" in source} == READS_SNAPSHOTS


def test_the_folder_stays_small():
    assert len(modules()) <= MOST_MODULES


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def pool_link(pool: Pool | None): ...", False),
        ("def pool_link(snapshot: Snapshot): ...", True),
        ("def pool_link(*, snapshot: 'Snapshot | None'): ...", True),
        ("def pool_link(snapshot: model.Snapshot): ...", True),
        ("async def pool_link(*snapshots: Snapshot): ...", True),
        ("def pool_link(anything): ...", True),
    ],
)
def test_a_snapshot_is_found_however_it_is_annotated(source, expected):
    assert takes_snapshot(links(source)["pool_link"]) is expected


def test_parameters_of_all_sorts_are_counted():
    function = links("def pool_link(a, /, b, *c, d, **e): ...")["pool_link"]
    assert len(parameters(function)) == 5
