r"""JSONPath templates as in `kubectl -o jsonpath=`: text with expressions in braces.

Supported: fields (`.metadata.name`, `['a.b']`, `.a\.b`), indexes and slices (`[0]`, `[-1]`, `[1:3]`), `[*]`, `..name`, filters
(`[?(@.type=="Ready")]`), quoted text (`{"\n"}`), and `{range .items[*]}...{end}`. As in kubectl, a field that is missing prints nothing.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

_Step: TypeAlias = Callable[[Any], Iterator[Any]]
_FIELD: Final = re.compile(r"\.((?:[^\s.\[\]{}\\'\"]|\\.)+)")
_INDEX: Final = re.compile(r"\[\s*(?:(\*)|(-?\d*):(-?\d*)|(-?\d+)|'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\s*\]")
_FILTER: Final = re.compile(r"\[\?\(\s*@([^=!<>)\s]*)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|\"[^\"]*\"|[^\s)]+))?\s*\)\]")
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MOST_RANGES: Final = 16
"""Depth of nested ranges."""


class JsonPathError(ValueError):
    """The template is not valid."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    steps: tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    over: _Path
    body: "tuple[_Node, ...]"


_Node: TypeAlias = _Text | _Path | _Range


class JsonPath:
    """A parsed template."""

    def __init__(self, template: str) -> None:
        """Parse `template`; without braces, all of it is one expression.

        Raises:
            JsonPathError: it is not valid.
        """
        whole = (
            template if "{" in template else "{" + (template if template.startswith((".", "[", "$", "@")) else f".{template}") + "}"
        )
        self._nodes = _parse_nodes(iter(_pieces(whole)), depth=0)

    def render(self, document: object) -> str:
        """Return the template with the values in `document`."""
        return "".join(_rendered(self._nodes, document, document))


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a template: (text or expression, content)."""
    place = 0
    while place < len(template):
        begin = template.find("{", place)
        if begin != place:
            yield "text", template[place : begin if begin >= 0 else len(template)]
        if begin < 0:
            return
        place = _end_of(template, begin)
        yield "expression", template[begin + 1 : place - 1].strip()


def _end_of(template: str, begin: int) -> int:
    """Return the place after the brace that closes the one at `begin`; braces in quotes do not count."""
    quote, place = "", begin + 1
    while place < len(template):
        character = template[place]
        if character == "\\":
            place += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "}":
            return place + 1
        place += 1
    raise JsonPathError("a brace is not closed")


def _parse_nodes(pieces: Iterator[tuple[str, str]], depth: int) -> tuple[_Node, ...]:
    if depth > _MOST_RANGES:
        raise JsonPathError("too many ranges are nested")
    nodes: list[_Node] = []
    for kind, content in pieces:
        if kind == "text":
            nodes.append(_Text(content))
        elif content == "end":
            if not depth:
                raise JsonPathError("{end} without {range}")
            return tuple(nodes)
        elif content.startswith("range "):
            nodes.append(_Range(_parse_path(content.removeprefix("range ").strip()), _parse_nodes(pieces, depth + 1)))
        elif content[:1] in {"'", '"'}:
            nodes.append(_Text(_unquoted(content)))
        else:
            nodes.append(_parse_path(content))
    if depth:
        raise JsonPathError("{range} without {end}")
    return tuple(nodes)


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[-1] != text[0]:  # noqa: PLR2004 - the two quotes
        raise JsonPathError(f"{text} is not closed")
    try:
        return str(json.loads('"' + text[1:-1].replace('\\"', '"').replace('"', '\\"') + '"'))
    except ValueError:
        raise JsonPathError(f"{text} has an unknown escape") from None


def _parse_path(text: str) -> _Path:
    """Return the path of an expression."""
    rest, steps = text, list[_Step]()
    root = rest[:1] == "$"
    if root:
        steps.append(_to_root)
    rest = rest[1:] if rest[:1] in {"$", "@"} else rest
    while rest and rest != ".":
        step, rest = _parse_step(rest, text)
        steps.append(step)
    return _Path(tuple(steps))


def _to_root(_value: Any) -> Iterator[Any]:  # noqa: ANN401
    """Stand for the document itself; replaced when a path is followed."""
    return iter(())


def _parse_step(rest: str, whole: str) -> tuple[_Step, str]:
    if rest.startswith(".."):
        match = _FIELD.match(rest, 1)
        if match:
            return _everywhere(_plain(match[1])), rest[match.end() :]
    elif rest.startswith(".*"):
        return _children, rest[2:]
    elif match := _FIELD.match(rest):
        return _field(_plain(match[1])), rest[match.end() :]
    elif rest.startswith(".["):
        return _parse_step(rest[1:], whole)
    elif match := _INDEX.match(rest):
        return _indexed(match), rest[match.end() :]
    elif match := _FILTER.match(rest):
        return _filtered(match), rest[match.end() :]
    raise JsonPathError(f"{rest!r} in {whole!r} is not understood; a path looks like {{.status.conditions[0].reason}}")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _field(name: str) -> _Step:
    def step(value: Any) -> Iterator[Any]:  # noqa: ANN401
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _children(value: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _everywhere(name: str) -> _Step:
    def step(value: Any) -> Iterator[Any]:  # noqa: ANN401
        pending = [value]
        while pending:
            entry = pending.pop()
            if isinstance(entry, dict) and name in entry:
                yield entry[name]
            pending.extend(reversed(list(_children(entry))))

    return step


def _indexed(match: re.Match[str]) -> _Step:
    every, first, last, index, single, double = match.groups()
    if every:
        return _children
    if single is not None or double is not None:
        return _field(_plain(single if single is not None else double))
    part = slice(*(int(bound) if bound else None for bound in (first, last))) if index is None else None

    def step(value: Any) -> Iterator[Any]:  # noqa: ANN401
        if not isinstance(value, list):
            return
        if part is not None:
            yield from value[part]
        elif -len(value) <= int(index) < len(value):
            yield value[int(index)]

    return step


def _filtered(match: re.Match[str]) -> _Step:
    path, comparison, literal = _parse_path(match[1]), match[2], match[3]
    wanted = _literal(literal) if literal is not None else None

    def step(value: Any) -> Iterator[Any]:  # noqa: ANN401
        for entry in value if isinstance(value, list) else _children(value):
            found = list(_follow(path, entry, entry))
            if any(_holds(comparison, one, wanted) for one in found) if comparison else bool(found):
                yield entry

    return step


def _literal(text: str) -> object:
    if text[:1] in {"'", '"'}:
        return text[1:-1]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise JsonPathError(f"{text} is neither a number nor a text in quotes") from None


def _holds(comparison: str, found: object, wanted: object) -> bool:
    try:
        return _COMPARISONS[comparison](found, wanted)
    except TypeError:
        return False


def _follow(path: _Path, value: object, document: object) -> Iterator[object]:
    found: Sequence[object] = [value]
    for step in path.steps:
        found = [document] if step is _to_root else [each for entry in found for each in step(entry)]
    return iter(found)


def _rendered(nodes: Sequence[_Node], value: object, document: object) -> Iterator[str]:
    for node in nodes:
        match node:
            case _Text(text):
                yield text
            case _Path():
                yield " ".join(_text(entry) for entry in _follow(node, value, document))
            case _Range(over, body):
                for entry in _follow(over, value, document):
                    yield from _rendered(body, entry, document)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
