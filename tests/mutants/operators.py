"""Where a module can be changed, and how."""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_ANNOTATED = (ast.AnnAssign, ast.arg, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One change of a module."""

    path: str
    line: int
    where: str
    """The function or class."""
    before: str
    after: str
    place: tuple[int, int]
    """Which of the nodes, and which of its changes."""
    repeated: int = 0
    """How many mutants before it in the module are the same change of the same words in a function of that name."""

    def tree(self, source: str) -> ast.Module:
        """Return the changed module, given its source."""
        tree = ast.parse(source)
        node, _ = list(_nodes(tree))[self.place[0]]
        replacement = list(_changes(node))[self.place[1]](node)
        if replacement is not None:
            _replace(tree, node, replacement)
        return ast.fix_missing_locations(tree)

    @property
    def title(self) -> str:
        """What tells it from others, whatever stands above it in the module."""
        again = f" | {self.repeated + 1}" if self.repeated else ""
        return f"{self.path} | {self.where} | {self.before} | {self.after}{again}"


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    found: Counter[tuple[str, str, str]] = Counter()
    for number, (node, where) in enumerate(_nodes(ast.parse(source))):
        for index, change in enumerate(_changes(node)):
            changed = copy.deepcopy(node)
            after = ast.unparse(change(changed) or changed)
            words = where, ast.unparse(node), after
            yield Mutant(path, node.lineno, *words, (number, index), found[words])
            found[words] += 1


Change = Callable[[ast.AST], ast.AST | None]
"""Changes a node, or returns another one for its place."""


def _nodes(tree: ast.AST, where: str = "module") -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield what is run, in order, with the function that it is in: no annotations, no decorators, no imports."""
    decorators = getattr(tree, "decorator_list", ())
    for child in ast.iter_child_nodes(tree):
        if _is_annotation(tree, child) or child in decorators or isinstance(child, (ast.Import, ast.ImportFrom)):
            continue
        inside = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else where
        if isinstance(child, (ast.expr, ast.stmt)):
            yield child, inside
        yield from _nodes(child, inside)


def _is_annotation(parent: ast.AST, child: ast.AST) -> bool:
    if not isinstance(parent, _ANNOTATED):
        return False
    return child in {getattr(parent, "annotation", None), getattr(parent, "returns", None)}


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            yield _compared
        case ast.BinOp(op=operator) if type(operator) in _COMPUTED and not _is_text(node):
            yield _computed
        case ast.BoolOp():
            yield _other_logic
            yield _without_last
        case ast.UnaryOp(op=ast.Not()):
            yield _without_not
        case ast.IfExp():
            yield lambda found: found.body
            yield lambda found: found.orelse
        case ast.If():
            yield _always
        case ast.Constant(value=bool()):
            yield _negated
        case ast.Constant(value=int()):
            yield _one_more
        case ast.Dict(keys=[_, *_]):
            yield _without_last_entry


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, (ast.JoinedStr, ast.List, ast.Tuple)) or _is_string(side) for side in (node.left, node.right))


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _compared(node: ast.Compare) -> None:
    node.ops = [_COMPARED[type(node.ops[0])]()]


def _computed(node: ast.BinOp) -> None:
    node.op = _COMPUTED[type(node.op)]()


def _other_logic(node: ast.BoolOp) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _without_last(node: ast.BoolOp) -> ast.AST:
    return node.values[0] if len(node.values) == 2 else ast.BoolOp(node.op, node.values[:-1])


def _without_not(node: ast.UnaryOp) -> ast.AST:
    return node.operand


def _always(node: ast.If) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _negated(node: ast.Constant) -> ast.AST:
    return ast.Constant(not node.value)


def _one_more(node: ast.Constant) -> ast.AST:
    return ast.Constant(node.value + 1)


def _without_last_entry(node: ast.Dict) -> None:
    node.keys, node.values = node.keys[:-1], node.values[:-1]


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(entry is old for entry in value):
                setattr(parent, name, [new if entry is old else entry for entry in value])
