"""Compact records of the objects of a chart, to detect that one was deleted or edited.

There are some ten of them for each Workspace, and their content is not needed. So an object is stored in five bytes, and its content as a
checksum of the fields that Flux owns: an edit removes a field from Flux's entry in `metadata.managedFields`.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, Final

import orjson

from workspace_ctrl.api.labels import OWNER_LABEL
from workspace_ctrl.records.managed_fields import packed
from workspace_ctrl.records.meta import Json, Meta, ObjectRef

ChartObjectId = bytes
"""Kind and name of one object."""

CHART_OBJECT_KINDS: Final = (
    "ConfigMap",
    "Deployment",
    "DestinationRule",
    "InferencePool",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
)
"""Watched kinds of a chart's objects; for other kinds, Flux detects deletions at its interval."""
ID_BYTES: Final = 5
_NUMBERS: Final = {kind: bytes([number]) for number, kind in enumerate(CHART_OBJECT_KINDS)}
_FLUX: Final = "helm-controller"
_LONGEST_SHARED: Final = 16 * 1024
"""Largest trees of fields whose checksum is cached, in bytes of JSON."""


@dataclass(frozen=True, slots=True)
class ChartObject:
    """One object of a chart."""

    namespace: str
    kind: str
    name: str
    workspace: str
    """Value of our owner label."""
    shape: int = 0

    @property
    def owner(self) -> tuple[str, str]:
        """(namespace, name) of the Workspace."""
        return self.namespace, self.workspace

    @property
    def id(self) -> ChartObjectId:
        """Kind and name, packed."""
        return chart_object_id(self.kind, self.name)

    @property
    def meta(self) -> Meta:
        """Metadata, as of all records."""
        return Meta(ObjectRef(self.kind, self.namespace, self.name), workspace=self.workspace)


def parse_chart_object(raw: Json, kind: str) -> ChartObject:
    """Return the record of an object of a chart."""
    metadata: Json = raw.get("metadata") or {}
    return ChartObject(
        namespace=intern(metadata.get("namespace") or ""),
        kind=kind,
        name=intern(metadata.get("name") or ""),
        workspace=intern((metadata.get("labels") or {}).get(OWNER_LABEL, "")),
        shape=content_checksum(metadata),
    )


def chart_object_id(kind: str, name: str) -> ChartObjectId:
    """Return kind and name, packed; `kind` is one of `CHART_OBJECT_KINDS`."""
    return _NUMBERS[kind] + zlib.crc32(name.encode()).to_bytes(ID_BYTES - 1, "big")


def kind_of(part: ChartObjectId) -> str:
    """Return the kind of a packed object."""
    return CHART_OBJECT_KINDS[part[0]]


def chart_objects_of_inventory(entries: Iterable[Json]) -> bytes:
    """Return the objects in a HelmRelease's `status.inventory.entries`, packed and concatenated; other kinds are left out."""
    found = (entry.get("id", "").split("_") for entry in entries)
    return b"".join(sorted(chart_object_id(parts[-1], parts[1]) for parts in found if len(parts) == 4 and parts[-1] in _NUMBERS))  # noqa: PLR2004


def unpack(packed: bytes, width: int = ID_BYTES) -> Iterable[bytes]:
    """Return the concatenated entries of `width` bytes."""
    return (packed[place : place + width] for place in range(0, len(packed), width))


def content_checksum(metadata: Json) -> int:
    """Return a checksum of the fields that Flux owns in an object, by apply or by update."""
    entries = metadata.get("managedFields") or ()
    trees = [entry.get("fieldsV1") for entry in entries if entry.get("manager") == _FLUX and not entry.get("subresource")]
    text = packed(trees) if trees else b""
    if not text:
        return 0
    return _shared_checksum(text) if len(text) <= _LONGEST_SHARED else _checksum(text)


def _merge(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, inside in fields.items() if isinstance(fields, Mapping) else ():
        if name != ".":  # the object itself, which is listed after an update, but not after an apply
            _merge(into.setdefault(name, {}), inside)


@lru_cache(maxsize=1024)
def _shared_checksum(trees: bytes) -> int:
    """Return the checksum of trees of fields as JSON; cached, because the objects of thousands of Workspaces have few different trees."""
    return _checksum(trees)


def _checksum(trees: bytes) -> int:
    fields: dict[str, Any] = {}
    for tree in orjson.loads(trees):
        _merge(fields, tree or {})
    return zlib.crc32(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
