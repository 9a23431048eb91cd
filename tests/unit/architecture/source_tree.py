"""The modules of the package as syntax trees, for tests of its structure."""

import ast
from functools import cache
from pathlib import Path

import workspace_ctrl

PACKAGE = Path(workspace_ctrl.__file__).parent
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
"""By path in the package, such as `planning/plan.py`."""


@cache
def nodes(tree):
    """Return all nodes of a module; going through them once takes as long as parsing it."""
    return tuple(ast.walk(tree))


def functions(tree):
    """Yield all functions and methods of a module."""
    return (node for node in nodes(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported_modules(tree):
    """Return the modules of the package that a module imports, each once."""
    found = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {_module(node.module or "", alias.name) for alias in node.names}
    return {name for name in found if name.split(".")[0] == PACKAGE.name}


def _module(package, name):
    """The module in `from <package> import <name>`: the name itself is one, or is defined in one."""
    full = f"{package}.{name}"
    path = PACKAGE.parent.joinpath(*full.split("."))
    return full if path.is_dir() or path.with_suffix(".py").exists() else package
