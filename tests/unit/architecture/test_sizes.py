"""A module, a function and a folder are small enough to be read at once, and a name means one thing."""

import ast
from collections import Counter

from tests.unit.architecture.source_tree import TREES, functions, imported_modules, nodes

LONGEST_FUNCTION = 60
LONG_FUNCTION = 20
"""Lines of 19 in 20 functions at most."""
LONGEST_MODULE = 400
LARGEST_FOLDER = 16
MOST_IMPORTS = 20


def test_functions_are_short():
    lengths = [
        (function.end_lineno - function.lineno + 1, path, function.name)
        for path, tree in TREES.items()
        for function in functions(tree)
    ]
    assert [entry for entry in lengths if entry[0] > LONGEST_FUNCTION] == []
    assert sum(lines > LONG_FUNCTION for lines, _, _ in lengths) <= len(lengths) / 20


def test_modules_are_short():
    lengths = {path: max((node.end_lineno for node in tree.body), default=0) for path, tree in TREES.items()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_folders_hold_few_modules():
    folders = Counter(path.rpartition("/")[0] for path in TREES if not path.endswith("__init__.py"))
    assert {folder: count for folder, count in folders.items() if count > LARGEST_FOLDER} == {}


def test_modules_import_few_others():
    counts = {path: len(imported_modules(tree)) for path, tree in TREES.items()}
    assert {path: count for path, count in counts.items() if count > MOST_IMPORTS} == {}


def test_a_class_has_a_name_of_its_own():
    names = Counter(
        node.name
        for tree in TREES.values()
        for node in nodes(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set()
