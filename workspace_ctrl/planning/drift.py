"""Whether an object still is what we applied: has anybody taken one of our fields?

The manifest is compared with the fields that the API server says are ours, not with the object: what others add (replicas of an autoscaler,
containers that are injected, defaults) is theirs and stays.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.ownership import Fields

_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})


def is_ours(manifest: Manifest, owned: Fields) -> bool:
    """Whether every field of `manifest` is among the `owned` ones."""
    metadata = manifest["metadata"]
    about = {name: metadata[name] for name in ("labels", "annotations") if metadata.get(name)}
    body = {name: value for name, value in manifest.items() if name not in _IDENTITY}
    return _holds({"metadata": about, **body}, owned)


def _holds(value: object, fields: Fields) -> bool:
    if not fields:  # a leaf: the field is owned as a whole
        return True
    if isinstance(value, Mapping):
        return all(f"f:{name}" in fields and _holds(item, fields[f"f:{name}"]) for name, item in value.items() if item is not None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_item_holds(item, fields) for item in value)
    return True


def _item_holds(item: object, fields: Fields) -> bool:
    """Whether a list's item is ours; where the list has keys, the API server may have added their defaults."""
    for mark, inside in fields.items():
        if mark.startswith("v:") and _decode(mark) == item:
            return True
        if mark.startswith("k:") and isinstance(item, Mapping):
            keys: Mapping[str, Any] = _decode(mark)
            if all(item.get(name, wanted) == wanted for name, wanted in keys.items()):
                return _holds(item, inside)
    return False


@lru_cache(maxsize=4096)
def _decode(mark: str) -> Any:  # noqa: ANN401
    return json.loads(mark[2:])
