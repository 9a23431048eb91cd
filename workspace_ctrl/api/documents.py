"""YAML that other people wrote, read with bounds: a few lines with anchors can stand for billions of values, or for themselves."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

_MOST_VALUES: Final = 200_000
"""More than the largest object that an API server stores (about 1.5 MB) can have."""
_DEEPEST: Final = 100


class DocumentError(Exception):
    """The text is not YAML, or stands for more than an API server would store."""


def parse_documents(text: str) -> list[Any]:
    """Return the documents in `text`.

    Raises:
        DocumentError: it is no YAML, or too much of it.
    """
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise DocumentError(f"is not YAML: {problem}{where}") from None
    _count(documents, _MOST_VALUES, 0)
    return documents


def _count(value: object, left: int, depth: int) -> int:
    """Return how many values may still follow `value`."""
    if left <= 0 or depth > _DEEPEST:
        raise DocumentError(f"stands for more than {_MOST_VALUES} values, or is nested more than {_DEEPEST} deep")
    left -= 1
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        left = _count(child, left, depth + 1)
    return left
