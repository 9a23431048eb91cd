"""Compact storage for the objects of charts: one row of bytes per Workspace, whatever the number of its objects.

With a record per object, 10,000 Workspaces would need 40 MiB; this way they need 3 MiB.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.chart_inventory import ID_BYTES, ChartObject, ChartObjectId, chart_object_id, unpack

_SHAPE_BYTES: Final = 4
_WIDTH: Final = ID_BYTES + _SHAPE_BYTES


class InventoryTable:
    """The objects of all Workspaces' charts."""

    def __init__(self) -> None:
        self._rows: dict[Key, bytes] = {}

    def of(self, owner: Key) -> dict[ChartObjectId, int]:
        """Return the objects of one Workspace with the checksums of their content."""
        entries = unpack(self._rows.get(owner, b""), _WIDTH)
        return {entry[:ID_BYTES]: int.from_bytes(entry[ID_BYTES:], "big") for entry in entries}

    def owners(self) -> tuple[Key, ...]:
        """Return the keys of the Workspaces that have objects."""
        return tuple(self._rows)

    def set(self, owner: Key, parts: Mapping[ChartObjectId, int]) -> None:
        """Set the objects of one Workspace."""
        if parts:
            self._rows[owner] = b"".join(part + shape.to_bytes(_SHAPE_BYTES, "big") for part, shape in parts.items())
        else:
            self._rows.pop(owner, None)


class InventoryStore:
    """The part of the table for one kind, filled by an informer; for all namespaces, or for one."""

    def __init__(self, table: InventoryTable, kind: str, namespace: str = "") -> None:
        self._table = table
        self.kind = kind
        self._namespace = namespace
        self.newest = 0
        """Newest version that a list or watch delivered."""
        self.is_filled = False
        """Whether a list has been stored."""

    def is_newer(self, _key: Key, version: int) -> bool:
        """Return True, because events of a watch are always newer; marks the version as delivered."""
        self.advance(version)
        return True

    def put(self, _key: Key, part: ChartObject, version: int) -> bool:
        """Store the object of an event; return whether anything changed."""
        self.advance(version)
        owner = part.owner
        parts = self._table.of(owner)
        if not part.workspace or parts.get(part.id) == part.shape:
            return False
        self._table.set(owner, {**parts, part.id: part.shape})
        return True

    def remove(self, _key: Key, version: int, part: ChartObject | None = None) -> ChartObject | None:
        """Remove a deleted object, whose last state was `part`; return it, or None if it was not stored."""
        self.advance(version)
        if part is None:
            return None
        parts = self._table.of(part.owner)
        if parts.pop(part.id, None) is None:
            return None
        self._table.set(part.owner, parts)
        return part

    def advance(self, version: int) -> None:
        """Handle a bookmark: all events up to `version` were delivered."""
        self.newest = max(self.newest, version)

    def replace(self, listed: Mapping[Key, tuple[ChartObject, int]], version: int) -> list[ChartObject]:
        """Replace all objects by a complete list; return one object of each Workspace whose objects have changed."""
        self.advance(version)
        self.is_filled = True
        found: dict[Key, dict[ChartObjectId, int]] = {}
        for part, _ in listed.values():
            if part.workspace:
                found.setdefault(part.owner, {})[part.id] = part.shape
        return [self._changed(owner) for owner in self._owners(found) if self._replace(owner, found.get(owner, {}))]

    def _owners(self, found: Iterable[Key]) -> set[Key]:
        return {owner for owner in self._table.owners() if self._namespace in {"", owner[0]}} | set(found)

    def _replace(self, owner: Key, parts: Mapping[ChartObjectId, int]) -> bool:
        old = self._table.of(owner)
        new = {part: shape for part, shape in old.items() if part[:1] != self._number} | dict(parts)
        if new == old:
            return False
        self._table.set(owner, new)
        return True

    @property
    def _number(self) -> bytes:
        return chart_object_id(self.kind, "")[:1]

    def _changed(self, owner: Key) -> ChartObject:
        return ChartObject(owner[0], self.kind, "", owner[1])
