"""Parsing of untrusted YAML with limits: a few lines with anchors can expand to billions of values, or refer to themselves."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

_MOST_VALUES: Final = 200_000
"""More than fit into the largest object that an API server stores (about 1.5 MB)."""
_DEEPEST: Final = 100


class DocumentError(Exception):
    """The text is not YAML, expands to more than an API server would store, or contains values that are not JSON."""


class _Loader(yaml.SafeLoader):
    """Keeps dates as strings, as kubectl does."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse_documents(text: str) -> list[Any]:
    """Return the documents in `text`.

    Raises:
        DocumentError: it is not YAML, too large, or contains values that are not JSON.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise DocumentError(f"is not YAML: {problem}{where}") from None
    _count(documents, _MOST_VALUES, 0)
    return [_as_json(document) for document in documents]


def _count(value: object, left: int, depth: int) -> int:
    """Return how many values are left of the limit after `value`."""
    if left <= 0 or depth > _DEEPEST:
        raise DocumentError(f"has more than {_MOST_VALUES} values, or more than {_DEEPEST} levels")
    left -= 1
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        left = _count(child, left, depth + 1)
    return left


def _as_json(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise DocumentError(f"has a value of type {type(value).__name__}, which is not JSON; write it as a string")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, int | float):
        return str(key)
    raise DocumentError(f"has a key of type {type(key).__name__}; write it as a string")
