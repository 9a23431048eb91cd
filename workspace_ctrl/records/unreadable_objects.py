"""Parses objects independently: an object that cannot be parsed becomes a record with the reason."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.value_limits import MOST_LEVELS
from workspace_ctrl.records.meta import UNREADABLE, Json

RecordT = TypeVar("RecordT")

_TEXTS: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_MAPS: Final = ("labels", "annotations")
"""The metadata that cannot be nested. The API server validates its types for every kind; an aggregated one may not."""


def isolated(parse: Callable[[Json, str], RecordT]) -> Callable[[Json, str], RecordT]:
    """Return `parse` wrapped in `read_object`, so that it raises nothing."""
    return partial(read_object, parse)


def read_object(parse: Callable[[Json, str], RecordT], raw: Json, kind: str) -> RecordT:
    """Return the record of an object of that kind, with only its identity if `parse` fails.

    The `meta.unreadable` of such a record has the reason. Watches and lists continue with the next object, and the Workspace to which the
    object belongs gets a condition.
    """
    try:
        return parse(raw, kind)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        return parse(_identity(raw, _reason(raw, error)), kind)


def too_deep(value: object, levels: int = MOST_LEVELS) -> str | None:
    """Return the path of the first list or mapping in `value` below `levels` levels, truncated; None if there is none."""
    pending: list[tuple[object, int, tuple[str, ...]]] = [(value, 0, ())]
    while pending:
        inside, level, path = pending.pop()
        if not isinstance(inside, Mapping | list):
            continue
        if level >= levels:
            return printable(".".join(path))
        children = inside.items() if isinstance(inside, Mapping) else ()
        pending += [(child, level + 1, (*path, str(name)[:_LONGEST_NAME]) if level < _SHOWN else path) for name, child in children]
        pending += [(child, level + 1, path) for child in (inside if isinstance(inside, list) else ())]
    return None


_SHOWN: Final = 3
"""Number of names in a path that are shown."""
_LONGEST_NAME: Final = 64


_LONGEST_REASON: Final = 200


def _identity(raw: Json, unreadable: str) -> dict[str, Any]:
    """Return an object that every parser accepts: the identity of `raw`, as far as it has the right types."""
    given = raw.get("metadata")
    metadata: Json = given if isinstance(given, Mapping) else {}
    kept: dict[str, Any] = {name: metadata[name] for name in _TEXTS if isinstance(metadata.get(name), str)}
    kept |= {name: _strings(metadata[name]) for name in _MAPS if isinstance(metadata.get(name), Mapping)}
    kept["generation"] = generation if isinstance(generation := metadata.get("generation"), int) else 0
    kept["finalizers"] = [entry for entry in _listed(metadata, "finalizers") if isinstance(entry, str)]
    references = [entry for entry in _listed(metadata, "ownerReferences") if isinstance(entry, Mapping)]
    owners = [_strings(entry) | {"controller": entry.get("controller") is True} for entry in references]
    version = {"apiVersion": raw["apiVersion"]} if isinstance(raw.get("apiVersion"), str) else {}
    return {**version, "metadata": kept | {"ownerReferences": owners, UNREADABLE: unreadable}}


def _strings(values: Json) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _listed(metadata: Json, name: str) -> list[Any]:
    return value if isinstance(value := metadata.get(name), list) else []


def _reason(raw: Json, error: Exception) -> str:
    if too_deep(raw) is not None:
        return f"nested deeper than {MOST_LEVELS} levels"
    return printable(f"{type(error).__name__}: {error}", _LONGEST_REASON)
