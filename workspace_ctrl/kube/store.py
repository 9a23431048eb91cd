"""Records of one kind, in their newest known version."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

RecordT = TypeVar("RecordT")
Key = tuple[str, str]
"""(namespace, name); the namespace is empty for cluster-wide kinds."""


class Sink(Protocol[RecordT]):
    """Receives the objects of an informer. Versions are resource versions."""

    @property
    def newest(self) -> int:
        """Newest version of any record, and of any event."""

    def is_newer(self, key: Key, version: int, /) -> bool:
        """Whether an event of `version` is newer than the record; marks the version as delivered."""

    def put(self, key: Key, record: RecordT, version: int, /) -> bool:
        """Store the record of an event; return whether it changed."""

    def remove(self, key: Key, version: int, last: RecordT | None = None, /) -> RecordT | None:
        """Remove a deleted object, whose last state was `last`; return its record, or None if a newer one exists."""

    def advance(self, version: int, /) -> None:
        """Handle a bookmark: all events up to `version` were delivered."""

    def replace(self, listed: Mapping[Key, tuple[RecordT, int]], version: int, /) -> list[RecordT]:
        """Replace all records by a complete list; return those that were added, changed or removed."""


class Store(Generic[RecordT]):
    """Records of one kind by key; the newest version wins.

    Versions are resource versions, which the API server orders per kind. Our own writes are stored at once, with the version in the API
    server's response, so that a pass never decides on outdated objects; an event that is older than such a write is dropped.
    """

    def __init__(self, owner_of: Callable[[RecordT], Key | None]) -> None:
        self._records: dict[Key, tuple[RecordT, int]] = {}
        self._owner_of = owner_of
        self._by_owner: dict[Key, list[Key]] = {}
        """Owner → keys of its records, in order; usually few, but anyone may put an owner's label on any number of objects."""
        self._seen = 0
        """Newest version that a list or watch delivered."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    @property
    def newest(self) -> int:
        """Newest version of any record, and of any event."""
        return max([self._seen, *(version for _, version in self._records.values())])

    def get(self, key: Key) -> RecordT | None:
        """Return the record, or None."""
        entry = self._records.get(key)
        return entry[0] if entry else None

    def values(self) -> Iterator[RecordT]:
        """Yield all records."""
        return (record for record, _ in self._records.values())

    def keys(self) -> tuple[Key, ...]:
        """Return all keys."""
        return tuple(self._records)

    def owned_by(self, owner: Key) -> tuple[RecordT, ...]:
        """Return the records of one owner, ordered by key."""
        return tuple(self._records[key][0] for key in self._by_owner.get(owner, ()))

    def is_newer(self, key: Key, version: int) -> bool:
        """Whether an event of `version` is newer than the record; marks the version as delivered."""
        self._seen = max(self._seen, version)
        entry = self._records.get(key)
        return entry is None or entry[1] < version

    def put(self, key: Key, record: RecordT, version: int) -> bool:
        """Store the record of an event; return whether it changed."""
        self._seen = max(self._seen, version)
        return self._set(key, record, version)

    def remove(self, key: Key, version: int, _last: RecordT | None = None) -> RecordT | None:
        """Remove a deleted object; return its record, or None if a newer one exists (created again)."""
        self._seen = max(self._seen, version)
        entry = self._records.get(key)
        if entry is None or entry[1] > version:
            return None
        self._unset(key)
        return entry[0]

    def drop(self, key: Key) -> None:
        """Remove a record that is not needed any more, although the object exists."""
        if key in self._records:
            self._unset(key)

    def write_through(self, key: Key, record: RecordT, version: int) -> None:
        """Store the response to one of our writes, unless the watch has already delivered a newer version."""
        if version > self._seen:
            self._set(key, record, version)

    def advance(self, version: int) -> None:
        """Handle a bookmark: all events up to `version` were delivered."""
        self._seen = max(self._seen, version)

    def replace(self, listed: Mapping[Key, tuple[RecordT, int]], version: int) -> list[RecordT]:
        """Replace all records by a complete list; return those that were added, changed or removed."""
        self._seen = max(self._seen, version)
        gone = [key for key, (_, known) in self._records.items() if key not in listed and known <= version]
        changed = [self._records[key][0] for key in gone]
        for key in gone:
            self._unset(key)
        changed.extend(record for key, (record, newer) in listed.items() if self._set(key, record, newer))
        return changed

    def _set(self, key: Key, record: RecordT, version: int) -> bool:
        entry = self._records.get(key)
        if entry is not None and entry[1] > version:
            return False
        self._records[key] = (record, version)
        if entry is not None and entry[0] == record:
            return False
        if entry is not None:
            self._unindex(key, entry[0])
        owner = self._owner_of(record)
        if owner is not None:
            self._index(key, owner)
        return True

    def _unset(self, key: Key) -> None:
        record, _ = self._records.pop(key)
        self._unindex(key, record)

    def _index(self, key: Key, owner: Key) -> None:
        keys = self._by_owner.get(owner)
        if keys is None:
            self._by_owner[owner] = [key]  # a list display has no spare capacity, and most owners have one object of a kind
            return
        place = bisect_left(keys, key)
        if keys[place : place + 1] != [key]:
            keys.insert(place, key)

    def _unindex(self, key: Key, record: RecordT) -> None:
        owner = self._owner_of(record)
        keys = self._by_owner.get(owner) if owner is not None else None
        if owner is None or keys is None:
            return
        place = bisect_left(keys, key)
        if keys[place : place + 1] == [key]:
            del keys[place]
        if not keys:
            del self._by_owner[owner]
