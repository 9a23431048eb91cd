"""A cache with a limited number of values."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """The `most` values that were stored last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        return self._values.get(key)

    def values(self) -> tuple[V, ...]:
        """Return all values, those that were stored first at the beginning."""
        return tuple(self._values.values())

    def keep(self, key: K, value: V) -> None:
        """Store a value; if there are too many, the one that was stored first is dropped."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        """Remove the value, if there is one."""
        self._values.pop(key, None)
