"""All objects of the page in their newest state, and the browsers that wait for what changes.

A browser that reads slowly costs no memory: for each is kept only which objects have changed, and their newest state is sent.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from workspace_ctrl.cli.page.history import HistoryEntry, transitions
from workspace_ctrl.cli.page.page_object import PageObject

MOST_OBJECTS: Final = 10_000
"""Objects that are kept; of more, a notice says so."""
_MOST_SEEN: Final = 30
"""Transitions that are kept of one object."""
BATCH: Final = 250
"""Objects in one update."""
OF_ONE_NAMESPACE: Final = "workspace-ctrl ui -n NAMESPACE"
_TOO_MANY: Final = "too many objects"


class PageEndedError(Exception):
    """The page has ended; the message says why."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What prevents the page from showing everything, and the way out."""

    message: str
    way_out: str = ""
    is_error: bool = True
    """Whether what is shown may be outdated, and not just incomplete on purpose."""

    def as_object(self) -> dict[str, Any]:
        """Return what the browser gets, as JSON."""
        return {"message": self.message, "wayOut": self.way_out, "isError": self.is_error}


class Subscriber:
    """One browser: which objects it has not got yet."""

    def __init__(self, live: "LiveObjects") -> None:
        self._live = live
        self._changed = dict.fromkeys(live.objects)
        self._notices_changed = True
        self._is_complete = False
        self._news = asyncio.Event()
        self._news.set()

    def changed(self, id_: str) -> None:
        """Note that an object was added, changed or deleted."""
        self._changed[id_] = None
        self._news.set()

    def notices_changed(self) -> None:
        """Note that there are other notices."""
        self._notices_changed = True
        self._news.set()

    def ended(self) -> None:
        """Note that the page has ended."""
        self._news.set()

    async def next_update(self) -> dict[str, Any]:
        """Wait until something has changed, and return it as JSON; the first updates have all objects.

        Raises:
            PageEndedError: the page has ended.
        """
        await self._news.wait()
        if self._live.end_words:
            raise PageEndedError(self._live.end_words)
        ids = [*self._changed][:BATCH]
        for id_ in ids:
            del self._changed[id_]
        found = {id_: self._live.objects.get(id_) for id_ in ids}
        update: dict[str, Any] = {
            "rows": [each.row() for each in found.values() if each is not None],
            "gone": [id_ for id_, each in found.items() if each is None],
        }
        if self._notices_changed:
            update["notices"] = [notice.as_object() for notice in self._live.notices.values()]
            self._notices_changed = False
        if not self._changed:
            self._news.clear()
            self._is_complete = self._is_complete or self._live.is_synced
        update["isComplete"] = self._is_complete
        return update


class LiveObjects:
    """The objects of the page."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most: int = MOST_OBJECTS,
        of_one_namespace: str = OF_ONE_NAMESPACE,
    ) -> None:
        """Begin without objects; `of_one_namespace` is how a user sees those of one namespace."""
        self.of_one_namespace = of_one_namespace
        self._now = now
        self._most = most
        self._objects: dict[str, PageObject] = {}
        self._seen: dict[str, deque[HistoryEntry]] = {}
        self._notices: dict[str, Notice] = {}
        self._subscribers: set[Subscriber] = set()
        self.is_synced = False
        """Whether all kinds were listed once."""
        self.end_words = ""
        """Why the page has ended; empty while it has not."""

    @property
    def objects(self) -> Mapping[str, PageObject]:
        """The objects by id."""
        return self._objects

    @property
    def notices(self) -> Mapping[str, Notice]:
        """What to tell about the page itself, by what it is about."""
        return self._notices

    @property
    def is_watched(self) -> bool:
        """Whether any browser is connected."""
        return bool(self._subscribers)

    def seen(self, id_: str) -> tuple[HistoryEntry, ...]:
        """Return the transitions of an object that were seen, the oldest first."""
        return tuple(self._seen.get(id_, ()))

    def put(self, found: PageObject) -> None:
        """Add or replace an object."""
        old = self._objects.get(found.id)
        if old is None and len(self._objects) >= self._most:
            words = f"there are more than {self._most} objects, of which the first are shown"
            self.note(_TOO_MANY, Notice(words, f"to see those of one namespace: {self.of_one_namespace}", is_error=False))
            return
        self._objects[found.id] = found
        if old is not None:
            self._seen.setdefault(found.id, deque(maxlen=_MOST_SEEN)).extend(
                transitions(old.conditions, found.conditions, self._now())
            )
        self._tell(found.id)

    def remove(self, id_: str) -> None:
        """Remove an object."""
        if self._objects.pop(id_, None) is not None:
            self._seen.pop(id_, None)
            self._tell(id_)

    def note(self, about: str, notice: Notice | None) -> None:
        """Set what to tell about something; None if it is as it should be."""
        if self._notices.get(about) == notice:
            return
        if notice is None:
            del self._notices[about]
        else:
            self._notices[about] = notice
        for subscriber in self._subscribers:
            subscriber.notices_changed()

    def complete(self) -> None:
        """Note that all kinds were listed."""
        self.is_synced = True
        for subscriber in self._subscribers:
            subscriber.notices_changed()

    def end(self, words: str) -> None:
        """Forget all objects, and tell all browsers why."""
        self.end_words = words
        self._objects.clear()
        self._seen.clear()
        for subscriber in self._subscribers:
            subscriber.ended()

    @contextmanager
    def subscriber(self) -> Iterator[Subscriber]:
        """Yield a new subscriber, which gets all objects first."""
        subscriber = Subscriber(self)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def _tell(self, id_: str) -> None:
        for subscriber in self._subscribers:
            subscriber.changed(id_)
