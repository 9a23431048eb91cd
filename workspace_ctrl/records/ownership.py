"""Which fields of an object we own, according to server-side apply's `metadata.managedFields`.

If another manager edits a field that we applied, the API server removes it from our entry. So edits are detected without storing the
content of the object.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from workspace_ctrl.api.labels import FIELD_MANAGER

Fields = Mapping[str, Any]
"""A tree as in `fieldsV1`: `f:name` a field, `k:{...}` an item of a list by its keys, `v:...` a value of a set; an empty tree is a leaf."""

NO_FIELDS: Fields = {}
_LONGEST_SHARED = 16 * 1024
"""Largest tree that is cached, in bytes of JSON; the largest of a preset's objects has about 4 KiB."""
_LONGEST = 1024 * 1024
"""Largest tree that is parsed: that of a pod template of 256 KiB, most of it list keys."""


def owned_fields(metadata: Mapping[str, Any]) -> Fields:
    """Return the tree of the fields that we own by apply, without owner references, which are checked separately.

    Objects with equal fields share one tree, so that thousands of them need little memory. Anyone can apply with our field manager's name,
    so a tree that is larger than that of any object of ours counts as empty.
    """
    entry = next((entry for entry in _entries(metadata) if entry.get("manager") == FIELD_MANAGER and _is_apply(entry)), None)
    if entry is None:
        return NO_FIELDS
    fields = dict(entry.get("fieldsV1") or {})
    about = {key: value for key, value in (fields.get("f:metadata") or {}).items() if key != "f:ownerReferences"}
    text = packed(fields | {"f:metadata": about})
    if len(text) > _LONGEST_SHARED:
        return _parsed(text) if len(text) <= _LONGEST else NO_FIELDS
    return _shared(text)


def packed(tree: object) -> bytes:
    """Return a tree, or a list of trees, as JSON with sorted keys; empty if it is too deep for any object of ours."""
    try:
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return b""


def owned_by_others(metadata: Mapping[str, Any], *path: str) -> bool:
    """Whether another manager owns the field at `path`, such as ("spec", "replicas")."""
    others = (entry for entry in _entries(metadata) if entry.get("manager") != FIELD_MANAGER)
    return any(_has(entry.get("fieldsV1") or {}, path) for entry in others)


def _entries(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from metadata.get("managedFields") or ()


def _is_apply(entry: Mapping[str, Any]) -> bool:
    return entry.get("operation") == "Apply" and not entry.get("subresource")


def _has(fields: Fields, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(fields, Mapping) or f"f:{name}" not in fields:
            return False
        fields = fields[f"f:{name}"]
    return True


@lru_cache(maxsize=4096)
def _shared(text: bytes) -> Fields:
    return _parsed(text)


def _parsed(text: bytes) -> Fields:
    fields: Fields = orjson.loads(text) if text else NO_FIELDS
    return fields
