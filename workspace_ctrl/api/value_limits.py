"""Limits of every Workspace, whatever its fields mean: planning and every write take time and memory for each value.

Fields that belong to other APIs have no schema here, so the limits are checked before anything else.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError, field_path

MOST_VALUES: Final = 5_000
"""Fields, labels and items of lists in a Workspace; large pod templates have several hundred."""
MOST_LEVELS: Final = 64
"""Levels of nesting in what users write: no meaningful field of Kubernetes has more than some twenty."""
_INTEGERS: Final = range(-(2**63), 2**63)
"""Integers that Kubernetes supports."""

_Place = tuple[Any, ...]
"""Path of a value: its key, and the path of its parent; empty at the top level."""


def check_values(fields: Mapping[str, Any]) -> None:
    """Check each value in `fields`, the top-level fields of a Workspace as JSON.

    Raises:
        SpecError: there are too many values, they are nested too deeply, or one of them is not JSON that the API server accepts.
    """
    left = MOST_VALUES
    waiting: list[tuple[object, _Place, int]] = [(dict(fields), (), 0)]
    while waiting:
        value, place, level = waiting.pop()
        problem = _problem(value)
        if problem:
            raise SpecError(_path(place), problem)
        if not isinstance(value, dict | list):
            continue
        if level >= MOST_LEVELS:
            raise SpecError(_path(place), f"is nested deeper than {MOST_LEVELS} levels")
        left -= len(value)
        if left < 0:
            problem = f"a Workspace can have at most {MOST_VALUES:,} values: fields, labels and list items"
            raise SpecError("", problem, "move long parts to an image or a ConfigMap")
        waiting += ((item, (key, place), level + 1) for key, item in _items(value))


def _items(value: dict[Any, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _problem(value: object) -> str:
    """Return the problem with a value or its keys, as the end of a sentence; empty if there is none."""
    if isinstance(value, str):
        return "" if _is_text(value) else "contains half of a surrogate pair, which is not a valid character"
    if isinstance(value, dict):
        return "" if all(isinstance(key, str) and _is_text(key) for key in value) else "has a key that is not a valid string"
    if isinstance(value, float):
        return "" if isfinite(value) else "must be a finite number"
    if isinstance(value, int):
        return "" if value in _INTEGERS else "must be a number of at most 64 bits"
    return "" if value is None or isinstance(value, list) else "must be a string, number, boolean, list or object"


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _path(place: _Place) -> str:
    location: list[int | str] = []
    while place:
        key, place = place
        location.append(key)
    return field_path(tuple(reversed(location)))
