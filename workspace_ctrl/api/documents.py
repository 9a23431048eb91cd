"""YAML that other people wrote, read with bounds: a few lines with anchors can stand for billions of values, or for themselves.

What is read is looked at first as a stream of events, which costs no more than its length: libyaml builds what is nested by calling itself,
and a thousand brackets end the process.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from workspace_ctrl.api.text import excerpt

_EXCERPT: Final = 200
"""Characters of the parser's words that are quoted."""
_LONGEST_NUMBER: Final = 64
"""Characters; a number to the base of 60 takes the square of its length to read."""
_LARGEST_NUMBER: Final = 1 << 63
_TAGS: Final = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))})
"""Those that make nothing of a value but what it is in JSON."""
_MERGE: Final = "<<"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a text may stand for."""

    values: int
    """Keys and values of all documents together, those that aliases and merge keys repeat included."""
    depth: int
    """Levels of lists and mappings in each other."""
    size: int | None = None
    """Bytes of the text; None for any number."""
    references: bool = True
    """Whether aliases and merge keys are read."""


FILES: Final = Limits(values=400_000, depth=100)
"""Of whoever runs the program: more than the largest object that an API server stores (about 1.5 MB) can have."""
TENANTS: Final = Limits(values=2048, depth=64, size=64 << 10, references=False)
"""Of anybody who may write a ConfigMap: milliseconds on the event loop."""

CHARTS: Final = Limits(values=50_000, depth=64, size=1 << 20)
"""Of what Helm prints of a chart: the known ones have some hundred values."""


class DocumentError(Exception):
    """The text is not YAML, stands for more than its limits, or holds what JSON does not know."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        """Completes the sentence "<text> ..."."""
        self.remedy = remedy
        """What to do; empty where the problem says it."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # ten times faster where there is libyaml
    """Leaves dates the text that they are, as kubectl does, and a lone `=` too; numbers and merge keys have bounds."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    most_merged = FILES.values

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put in place of merge keys what they stand for, unless that is too much."""
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(merged, yaml.MappingNode):
                        self.flatten_mapping(merged)
                        self.most_merged -= len(merged.value)
                if self.most_merged < 0:
                    raise DocumentError(f"repeats too much by merge keys{_line(node)}", "write out what they stand for")
        super().flatten_mapping(node)

    def number(self, node: yaml.ScalarNode) -> int | float:
        """Return the number that `node` is."""
        if len(node.value) > _LONGEST_NUMBER:
            raise DocumentError(f"holds a number of {len(node.value)} characters{_line(node)}", "write it as text, in quotes")
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        try:
            number: int | float = read(node)
        except ValueError:
            problem = f"holds a number that cannot be read, {excerpt(node.value, _LONGEST_NUMBER)}{_line(node)}"
            raise DocumentError(problem, "write it as text, in quotes") from None
        if not math.isfinite(number) or (abs(number) >= _LARGEST_NUMBER and isinstance(number, int)):
            problem = f"holds a number that JSON cannot pass on, {excerpt(node.value, _LONGEST_NUMBER)}{_line(node)}"
            raise DocumentError(problem, "write it as text, in quotes")
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)


def parse_documents(text: str, limits: Limits = FILES) -> list[Any]:
    """Return the documents in `text`.

    Raises:
        DocumentError: it is no YAML, too much of it, or more than JSON.
    """
    _check_text(text, limits)
    try:
        _check_events(text, limits)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except RecursionError:
        raise DocumentError("holds itself by merge keys", "write out what they stand for") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise DocumentError(f"is not YAML: {excerpt(str(problem), _EXCERPT)}{where}") from None
    _count(documents, limits.values, -1, limits)
    return [_as_json(document) for document in documents]


def _check_text(text: str, limits: Limits) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise DocumentError(f"holds half of a surrogate pair{_line_of(text, error.start)}", "save it as UTF-8") from None
    if limits.size is not None and size > limits.size:
        raise DocumentError(f"is larger than {limits.size} bytes", "leave out what is not read, comments too")


def _check_events(text: str, limits: Limits) -> None:
    """Look at the text without building anything of it."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.NodeEvent):
            values += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            if depth > limits.depth:
                raise DocumentError(f"is nested deeper than {limits.depth} levels{_line(event)}", "write it flatter")
            if values > limits.values:
                raise _too_much(limits, _line(event))
            _check_event(event, limits)


def _check_event(event: yaml.NodeEvent, limits: Limits) -> None:
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in _TAGS:
        problem = f"has the tag {excerpt(str(event.tag), _LONGEST_NUMBER)}{_line(event)}, which JSON does not know"
        raise DocumentError(problem, "write the value without it")
    if limits.references:
        return
    if isinstance(event, yaml.AliasEvent):
        problem = f"has the alias *{excerpt(str(event.anchor), _LONGEST_NUMBER)}{_line(event)}"
        raise DocumentError(problem, "write out what it stands for")
    if isinstance(event, yaml.ScalarEvent) and event.value == _MERGE and event.implicit[0]:
        raise DocumentError(f"has the merge key <<{_line(event)}", "write out what it stands for")


def _line(place: yaml.Event | yaml.Node) -> str:
    mark = place.start_mark
    return f" in line {mark.line + 1}" if mark is not None else ""


def _line_of(text: str, index: int) -> str:
    return f" in line {text.count(chr(10), 0, index) + 1}"


def _too_much(limits: Limits, where: str = "") -> DocumentError:
    return DocumentError(f"stands for more than {limits.values} keys and values{where}", "write less, or make several of it")


def _count(value: object, left: int, depth: int, limits: Limits) -> int:
    """Return how many values may still follow `value`: aliases repeat what was written once."""
    if left <= 0:
        raise _too_much(limits)
    if depth > limits.depth:
        raise DocumentError(f"is nested deeper than {limits.depth} levels", "write it flatter, and nothing that holds itself")
    left -= 1
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        left = _count(child, left, depth + 1, limits)
    return left


def _as_json(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise DocumentError(f"holds a value of type {type(value).__name__}, which JSON does not know", "write it as text")


def _text(text: str) -> str:
    """Return `text`, which escapes may have brought what is no character."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise DocumentError("holds half of a surrogate pair", "write the character itself")
    return text


def _key(key: object) -> str:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, int | float):
        return str(key)
    raise DocumentError(f"has a key of type {type(key).__name__}", "write it as text")
