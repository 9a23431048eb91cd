"""Several stores, one per watched namespace, that are read as one."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from workspace_ctrl.kube.store import Key, Store

RecordT = TypeVar("RecordT")


class PartitionedStore(Generic[RecordT]):
    """One store per namespace: events are ordered only within one watch, so each watch has a newest version of its own."""

    def __init__(
        self,
        owner_of: Callable[[RecordT], Key | None],
        namespaces: Iterable[str],
        make: Callable[[Callable[[RecordT], Key | None]], Store[RecordT]] = Store,
    ) -> None:
        self.parts: dict[str, Store[RecordT]] = {namespace: make(owner_of) for namespace in namespaces}
        """Namespace → its store."""

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(map(len, self.parts.values()))

    def get(self, key: Key) -> RecordT | None:
        """Return the record, or None."""
        part = self.parts.get(key[0])
        return part.get(key) if part is not None else None

    def values(self) -> Iterator[RecordT]:
        """Yield all records."""
        return (record for part in self.parts.values() for record in part.values())

    def keys(self) -> tuple[Key, ...]:
        """Return all keys."""
        return tuple(chain.from_iterable(map(Store.keys, self.parts.values())))

    def owned_by(self, owner: Key) -> tuple[RecordT, ...]:
        """Return the records of one owner, ordered by key; an owner lives in the namespace of what it owns."""
        part = self.parts.get(owner[0])
        return part.owned_by(owner) if part is not None else ()

    def write_through(self, key: Key, record: RecordT, version: int) -> None:
        """Store the response to one of our writes, unless the watch of its namespace has already delivered a newer version."""
        self.parts[key[0]].write_through(key, record, version)
