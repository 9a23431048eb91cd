"""A wait that grows is a `Backoff`: nobody else doubles delays."""

import ast

import pytest

from tests.unit.architecture.source_tree import TREES, nodes

DOUBLING = {
    "kube/backoff.py",
    "probe/consecutive_results.py",  # probes that fail: the pure core lies below `kube`
}


def doubles(tree):
    """Whether a module has a float power of two, a product with a power of two, or doubles a variable in place."""
    return any(is_doubling(node) for node in nodes(tree))


def is_doubling(node):
    match node:
        case ast.BinOp(ast.Constant(float(2.0)), ast.Pow()):
            return True
        case ast.BinOp(left, ast.Mult(), right):
            return is_power_of_two(left) or is_power_of_two(right)
        case ast.AugAssign(_, ast.Mult(), ast.Constant(2)):
            return True
        case _:
            return False


def is_power_of_two(node):
    match node:
        case ast.BinOp(ast.Constant(2), ast.Pow()):
            return True
        case _:
            return False


def test_only_the_backoff_doubles_delays():
    found = {path for path, tree in TREES.items() if doubles(tree)}
    assert found == DOUBLING, "use workspace_ctrl.kube.backoff; a module that has come to use it leaves this list"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("min(first * 2.0 ** min(count, 20), longest)", True),
        ("2.0 ** count", True),
        ("first * 2 ** count", True),
        ("2 ** (count - 1) * first", True),
        ("delay *= 2", True),
        ("delay *= 2.0", True),
        ("2 ** 30", False),
        ("int(2 ** (gpus.bit_length() - 1))", False),
        ("2 * ANSWER_SECONDS", False),
        ("radius ** 2.0", False),
    ],
)
def test_doubling_is_told_from_other_arithmetic(source, expected):
    assert doubles(ast.parse(source)) is expected
