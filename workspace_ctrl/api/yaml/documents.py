"""Parsing of untrusted YAML with limits: a few lines with anchors can expand to billions of values, or refer to themselves.

A text is first checked as a stream of events, in time proportional to its length: libyaml builds nested values recursively, and a thousand
brackets crash the process.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.yaml.scalars import number_of_kubectl, of_kubectl, of_python

_EXCERPT: Final = 200
"""Characters of the parser's message that are quoted."""
_LONGEST_NUMBER: Final = 64
"""Characters; the time to parse a number in base 60 grows with the square of its length."""
_LARGEST_NUMBER: Final = 1 << 63
_TAGS: Final = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))})
"""Tags that leave a value as it is in JSON."""
_MERGE: Final = "<<"
_UNHASHABLE: Final = "found unhashable key"
"""What PyYAML says of a mapping or list as a key."""
_RENDERED: Final = "a template such as {{ .Values.x }} has to be rendered first"
_NO_KEY: Final = f"write it as a string; {_RENDERED}"
FAST_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For files of our own: ten times faster where PyYAML has libyaml."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a text and of what it expands to."""

    values: int
    """Keys and values of all documents together, including those that aliases and merge keys repeat."""
    depth: int
    """Levels of nested lists and mappings."""
    size: int | None = None
    """Bytes of the text; None for no limit."""
    references: bool = True
    """Whether aliases and merge keys are allowed."""


FILES: Final = Limits(values=400_000, depth=100)
"""For files of the user who runs the program: more than fit into the largest object that an API server stores (about 1.5 MB)."""
TENANTS: Final = Limits(values=2048, depth=64, size=64 << 10, references=False)
"""For text of anyone who may write a ConfigMap: takes milliseconds on the event loop."""

CHARTS: Final = Limits(values=50_000, depth=64, size=1 << 20)
"""For Helm's output for a chart: known charts have some hundred values."""


class YamlError(Exception):
    """The text is not YAML, exceeds a limit, or contains values that are not JSON."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        """Completes the sentence "<text> ..."."""
        self.remedy = remedy
        """What to do; empty if the problem makes it clear."""


class _Loader(FAST_LOADER):  # type: ignore[misc] # its base is not known to mypy
    """Reads scalars as kubectl does; limits numbers and merge keys."""

    yaml_implicit_resolvers = of_kubectl()
    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012 - as PyYAML has it
    most_merged = FILES.values

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Expand merge keys, up to the limit."""
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(merged, yaml.MappingNode):
                        self.flatten_mapping(merged)
                        self.most_merged -= len(merged.value)
                if self.most_merged < 0:
                    raise YamlError(f"repeats too many values by merge keys{_line(node)}", "replace them with the keys and values")
        super().flatten_mapping(node)

    def number(self, node: yaml.ScalarNode) -> int | float:
        """Return the value of `node`, a number."""
        if len(node.value) > _LONGEST_NUMBER:
            raise YamlError(f"has a number of {len(node.value)} characters{_line(node)}", "quote it")
        try:
            number = self.value_of(node)
        except ValueError:
            problem = f"has an invalid number{_line(node)}"
            raise YamlError(problem, "quote it") from None
        if not math.isfinite(number) or (abs(number) >= _LARGEST_NUMBER and isinstance(number, int)):
            problem = f"has a number that JSON cannot represent{_line(node)}"
            raise YamlError(problem, "quote it")
        return number

    def value_of(self, node: yaml.ScalarNode) -> int | float:
        """Return the number that a scalar stands for."""
        return number_of_kubectl(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)


class _PythonLoader(_Loader):
    """Reads scalars as PyYAML does."""

    yaml_implicit_resolvers = of_python()

    def value_of(self, node: yaml.ScalarNode) -> int | float:
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        value: int | float = read(node)
        return value


def parse_documents(text: str, limits: Limits = FILES, *, for_python: bool = False) -> list[Any]:
    """Return the documents in `text`, with scalars as kubectl, Helm and Flux read them, or `for_python` as PyYAML does.

    Raises:
        DocumentError: it is not YAML, too large, or contains values that are not JSON.
    """
    _check_text(text, limits)
    loader = _PythonLoader if for_python else _Loader
    try:
        _check_events(text, limits)
        documents = list(yaml.load_all(text, Loader=loader))
    except RecursionError:
        raise YamlError("refers to itself by merge keys", "replace them with the keys and values") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _not_yaml(text, error) from None
    _count(documents, limits.values, -1, limits)
    return [_as_json(document) for document in documents]


def _not_yaml(text: str, error: yaml.YAMLError | ValueError) -> YamlError:
    """Return the error for a text that the parser refuses; a template of Helm may be the cause where its braces are at the place."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    if problem == _UNHASHABLE:
        return YamlError(f"has a mapping or list as a key{where}", _NO_KEY)
    marks = (mark, getattr(error, "context_mark", None))  # the place, and the start of what was being read there
    lines = text.splitlines()
    is_template = any("{{" in line for each in marks if each is not None for line in lines[each.line : each.line + 1])
    return YamlError(f"is not YAML: {excerpt(str(problem), _EXCERPT)}{where}", _RENDERED if is_template else "")


def _check_text(text: str, limits: Limits) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise YamlError(f"contains half of a surrogate pair{_line_of(text, error.start)}", "save it as UTF-8") from None
    if limits.size is not None and size > limits.size:
        raise YamlError(f"is larger than {limits.size} bytes", "remove what is not needed, including comments")


def _check_events(text: str, limits: Limits) -> None:
    """Check the text before any value is built from it."""
    values, opened = 0, list[_Opened]()
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.NodeEvent):
            values += 1
            if opened:
                opened[-1].check(event)
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append(_Opened(is_mapping=isinstance(event, yaml.MappingStartEvent)))
            if len(opened) > limits.depth:
                raise YamlError(f"is nested deeper than {limits.depth} levels{_line(event)}", "reduce the nesting")
            if values > limits.values:
                raise _too_much(limits, _line(event))
            _check_event(event, limits)


@dataclass(slots=True)
class _Opened:
    """A list or mapping whose end has not been read yet."""

    is_mapping: bool
    keys: set[str] = field(default_factory=set)
    at_key: bool = True

    def check(self, event: yaml.NodeEvent) -> None:
        """Check the next key or value: of two equal keys, YAML keeps the last one, so the first would be lost in silence."""
        if not self.is_mapping:
            return
        if self.at_key and isinstance(event, yaml.ScalarEvent) and not _is_merge(event):
            if event.value in self.keys:
                problem = f"has the key {excerpt(event.value, _LONGEST_NUMBER)} twice in the same mapping, again{_line(event)}"
                raise YamlError(problem, "keep one of them")
            self.keys.add(event.value)
        self.at_key = not self.at_key


def _is_merge(event: yaml.ScalarEvent) -> bool:
    return bool(event.value == _MERGE and event.implicit[0])


def _check_event(event: yaml.NodeEvent, limits: Limits) -> None:
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in _TAGS:
        problem = f"has a tag{_line(event)}, which is not JSON"
        raise YamlError(problem, "remove the tag")
    if limits.references:
        return
    if isinstance(event, yaml.AliasEvent):
        problem = f"has an alias{_line(event)}"
        raise YamlError(problem, "replace it with the value")
    if isinstance(event, yaml.ScalarEvent) and _is_merge(event):
        raise YamlError(f"has the merge key <<{_line(event)}", "replace it with the keys and values")


def _line(place: yaml.Event | yaml.Node) -> str:
    mark = place.start_mark
    return f" in line {mark.line + 1}" if mark is not None else ""


def _line_of(text: str, index: int) -> str:
    return f" in line {text.count(chr(10), 0, index) + 1}"


def _too_much(limits: Limits, where: str = "") -> YamlError:
    return YamlError(f"has more than {limits.values} keys and values{where}", "shorten it, or split it")


def _count(value: object, left: int, depth: int, limits: Limits) -> int:
    """Return how many values are left of the limit after `value`, with those that aliases repeat."""
    if left <= 0:
        raise _too_much(limits)
    if depth > limits.depth:
        raise YamlError(f"is nested deeper than {limits.depth} levels", "reduce the nesting, and remove aliases to an outer value")
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
    raise YamlError(f"has a value of type {type(value).__name__}, which is not JSON", "write it as a string")


def _text(text: str) -> str:
    """Return `text`; escapes in it may have produced half of a surrogate pair."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise YamlError("contains half of a surrogate pair", "write the character itself")
    return text


def _key(key: object) -> str:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, int | float):
        return str(key)
    raise YamlError(f"has a key of type {type(key).__name__}", "write it as a string")
