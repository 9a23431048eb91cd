"""Strategies of inputs: documents near to valid ones, and texts near to YAML, JSON or a response."""

import json
from collections.abc import Sequence
from functools import reduce
from typing import Any

from hypothesis import strategies as st

ODD_TEXTS = [
    *("", "\x1b[2J", "\u202egnp.exe", "a\r\nb", "\ud800", "\x00", "\u2028", "[bold]x[/bold]", "-", ".", "/", "a/b", "True", "0"),
    *("x" * 300, "\x1b" * 5000, "9" * 5000),
]
text = st.sampled_from(ODD_TEXTS) | st.text(st.characters(codec=None), max_size=20)
numbers = st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, -(10**400), 1e308, float("nan"), float("inf")]) | st.integers()
nested = st.integers(50, 1200).map(lambda levels: reduce(lambda inside, _: [inside], range(levels), "x"))
deep_mappings = st.integers(50, 1200).map(lambda levels: reduce(lambda inside, _: {"f:a": inside}, range(levels), {}))
wide = st.integers(100, 6000).map(lambda count: [{}] * count)
anything = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(text, children, max_size=3),
    max_leaves=8,
)
odd = anything | nested | deep_mappings | wide


@st.composite
def mutated(draw: st.DrawFn, samples: Sequence[Any]) -> Any:
    """One of `samples` with up to four places replaced, removed, repeated or renamed."""
    document = json.loads(json.dumps(draw(st.sampled_from(samples))))
    for _ in range(draw(st.integers(0, 4))):
        document = _mutate(draw, document)
    return document


def _mutate(draw: st.DrawFn, value: Any) -> Any:
    is_inner = bool(value) and isinstance(value, dict | list) and draw(st.integers(0, 3))
    if not is_inner:
        return draw(odd)
    return _in_mapping(draw, value) if isinstance(value, dict) else _in_list(draw, value)


def _in_mapping(draw: st.DrawFn, value: dict[str, Any]) -> Any:
    key = draw(st.sampled_from(sorted(value)))
    match draw(st.sampled_from(["inside", "inside", "remove", "rename", "add"])):
        case "inside":
            return {**value, key: _mutate(draw, value[key])}
        case "remove":
            return {name: item for name, item in value.items() if name != key}
        case "rename":
            return {draw(text) if name == key else name: item for name, item in value.items()}
    return {**value, draw(text): draw(odd)}


def _in_list(draw: st.DrawFn, value: list[Any]) -> Any:
    place = draw(st.integers(0, len(value) - 1))
    match draw(st.sampled_from(["inside", "remove", "repeat"])):
        case "inside":
            return [*value[:place], _mutate(draw, value[place]), *value[place + 1 :]]
        case "remove":
            return [*value[:place], *value[place + 1 :]]
    return value * draw(st.integers(2, 40))


def as_json(document: Any) -> bytes:
    """Return a document as JSON, also one that orjson would refuse to write."""
    try:
        return json.dumps(document).encode()
    except RecursionError:
        return b"[" * 1000 + b"]" * 1000


def pieces(*fragments: str) -> st.SearchStrategy[bytes]:
    """Texts of `fragments` in any order, mixed with others, and now and then many times the same."""
    piece = st.sampled_from(fragments) | text
    many = st.builds(lambda one, times: one * times, st.sampled_from(fragments), st.integers(10, 3000))
    return st.lists(piece | piece | piece | many, max_size=14).map(lambda parts: "".join(parts).encode(errors="surrogatepass"))
