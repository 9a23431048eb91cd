"""Hides the values of a Secret, but not which of them an apply would change, as `kubectl diff` does."""

from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.cache.watches import SECRET
from workspace_ctrl.kube.resources import Json

_SAME: Final = "***"
_BEFORE: Final = "*** (before)"
_AFTER: Final = "*** (after)"
_FIELDS: Final = ("data", "stringData")
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""Annotation of `kubectl apply` with the whole object, and so with its values."""


def masked(before: Json | None, after: Json | None) -> tuple[Json | None, Json | None]:
    """Return two states of an object (None where it does not exist), without the values if it is a Secret."""
    given = after or before
    if given is None or given.get("kind") != SECRET.kind:  # of any API group, as other groups have it for the same
        return before, after
    return _masked(before, after or {}, _BEFORE), _masked(after, before or {}, _AFTER)


def _masked(item: Json | None, other: Json, changed: str) -> Json | None:
    if item is None:
        return None
    fields = {field: _hidden(item[field], other.get(field), changed) for field in _FIELDS if field in item}
    metadata, others = item["metadata"], (other.get("metadata") or {}).get("annotations") or {}
    annotations = metadata.get("annotations") or {}
    if _LAST_APPLIED in annotations:
        applied = {_LAST_APPLIED: annotations[_LAST_APPLIED]}
        annotations = {**annotations, **_hidden(applied, others, changed)}
        metadata = {**metadata, "annotations": annotations}
    return {**item, **fields, "metadata": metadata}


def _hidden(values: Any, others: Any, changed: str) -> dict[str, str]:  # noqa: ANN401 - whatever an object has there
    """Return the keys of a map, each with a mask that says whether the other map has another value."""
    if not isinstance(values, Mapping):
        return {}
    known = others if isinstance(others, Mapping) else {}
    return {key: changed if key in known and known[key] != value else _SAME for key, value in values.items()}
