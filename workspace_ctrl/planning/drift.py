"""Drift detection: has another manager taken a field that we applied?

The manifest is compared with the fields that we own in `managedFields`, not with the content of the object. Fields that others add
(replicas of an autoscaler, injected containers, defaults) are theirs and stay.
"""

from collections.abc import Mapping, Sequence

import orjson

from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.managed_fields import Fields, Tree, unpacked

_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})
_MAPPING, _SEQUENCE = (dict, Mapping), (list, Sequence)
"""The concrete types first: almost all values have them, and a check of an abstract one takes several times as long."""
_VALUES = "values"
"""Path of the part of a HelmRelease that has no schema."""


def is_ours(manifest: Manifest, owned: Fields) -> bool:
    """Whether we own every field of `manifest`."""
    metadata = manifest["metadata"]
    about = {name: metadata[name] for name in ("labels", "annotations") if metadata.get(name)}
    body = {name: value for name, value in manifest.items() if name not in _IDENTITY}
    tree = unpacked(owned)
    return _holds({"metadata": about, **body}, tree) and _values_hold(manifest, tree)


def _values_hold(manifest: Manifest, owned: Tree) -> bool:
    """Whether we own every one of the chart's values.

    If an object has a schema, it can be owned as a whole, without its fields. Without a schema, missing fields belong to another manager.
    """
    if manifest["kind"] != "HelmRelease" or not owned:
        return True
    fields = owned.get("f:spec", {}).get(f"f:{_VALUES}", {})
    return _leaves_hold(manifest["spec"].get(_VALUES), fields)


def _leaves_hold(value: object, fields: Tree) -> bool:
    if not isinstance(value, _MAPPING):
        return True
    return all(
        f"f:{name}" in fields and _leaves_hold(item, fields[f"f:{name}"]) for name, item in value.items() if item is not None
    )


def _holds(value: object, fields: Tree) -> bool:
    if not fields or isinstance(value, str):  # owned as a whole, by the schema
        return True
    if isinstance(value, _MAPPING):
        return all(f"f:{name}" in fields and _holds(item, fields[f"f:{name}"]) for name, item in value.items() if item is not None)
    if isinstance(value, _SEQUENCE):
        return _items_hold(value, fields)
    return True


def _items_hold(items: Sequence[object], fields: Tree) -> bool:
    """Whether we own the items of a list; if the list has keys, the API server may have added their defaults.

    Lists can be long, so items are looked up by their keys instead of compared one by one.
    """
    values = {_text(_read(mark[2:])) for mark in fields if mark.startswith("v:")}
    keyed = [(_keys(mark[2:]), inside) for mark, inside in fields.items() if mark.startswith("k:")]
    names = sorted({name for keys, _ in keyed for name in keys})
    indexes: dict[tuple[str, ...], dict[bytes, Tree]] = {}
    for item in items:
        if not isinstance(item, _MAPPING):
            if _text(item) not in values:
                return False
            continue
        given = tuple(name for name in names if name in item)
        index = indexes.get(given)
        if index is None:
            index = indexes[given] = {_text([keys.get(name) for name in given]): inside for keys, inside in keyed}
        inside = index.get(_text([item[name] for name in given]))
        if inside is None or not _holds(item, inside):
            return False
    return True


def _keys(text: str) -> Mapping[str, object]:
    """Return the keys of a list's item; empty if they are not as the API server writes them."""
    keys = _read(text)
    return keys if isinstance(keys, dict) and not any(isinstance(value, dict | list) for value in keys.values()) else {}


def _read(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(value: object) -> bytes:
    """Return `value`, a scalar or a list of scalars, in the form that is compared."""
    return orjson.dumps(value if not isinstance(value, dict | list) or _is_flat(value) else None)


def _is_flat(value: object) -> bool:
    return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)
