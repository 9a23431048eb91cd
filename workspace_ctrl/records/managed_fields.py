"""Which fields of an object we own, according to server-side apply's `metadata.managedFields`.

If another manager edits a field that we applied, the API server removes it from our entry. So edits are detected without storing the
content of the object.
"""

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from workspace_ctrl.api.labels import FIELD_MANAGER

Tree = Mapping[str, Any]
"""As in `fieldsV1`: `f:name` a field, `k:{...}` an item of a list by its keys, `v:...` a value of a set; an empty tree is a leaf."""
Fields = bytes
"""A tree as it is kept: JSON with sorted keys, compressed if it is long. As Python objects it would take ten times as much memory."""

NO_FIELDS: Final[Fields] = b""
_LONGEST_SHARED: Final = 8 << 10
"""Largest tree that is cached, in bytes of JSON; the largest of a preset's objects has about 4 KiB."""
_LONGEST: Final = 1 << 20
"""Largest tree that is read, in bytes of JSON: that of a pod template of 256 KiB, most of it list keys."""
_LONGEST_PACKED: Final = 64 << 10
"""Largest tree that is kept, in compressed bytes; the trees of large pod templates are repetitive and compress well."""
_BEGIN: Final = b"{"
"""First byte of a tree that is kept uncompressed."""


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
    if len(text) <= _LONGEST_SHARED:
        return _shared(text)
    small = zlib.compress(text, level=1) if len(text) <= _LONGEST else text
    return small if len(small) <= _LONGEST_PACKED else NO_FIELDS


def unpacked(fields: Fields) -> Tree:
    """Return the tree of `fields`."""
    if not fields:
        return {}
    tree: Tree = orjson.loads(fields if fields.startswith(_BEGIN) else zlib.decompress(fields))
    return tree


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


def _has(fields: Tree, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(fields, Mapping) or f"f:{name}" not in fields:
            return False
        fields = fields[f"f:{name}"]
    return True


@lru_cache(maxsize=1024)
def _shared(text: bytes) -> Fields:
    return text
