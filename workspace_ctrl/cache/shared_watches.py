"""Watches of one kind that many Workspaces share, which keep only the objects that a Workspace references.

A watch costs a connection, with TLS more than half a megabyte. So there is one for all references in a namespace, and from a number of
namespaces on one for the whole cluster. It delivers all objects there; those without references are dropped once they are read.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy, jittered
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ForbiddenError, KindNotServedError, TooLargeError
from workspace_ctrl.kube.informer import Informer, Source, key_of, version_of
from workspace_ctrl.kube.pager import SMALLER_PAGE
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

RecordT = TypeVar("RecordT")

MOST_NAMESPACES: Final = 8
"""Watches of single namespaces, of one kind; further namespaces share one watch of the whole cluster."""
_PAGE: Final = 100
_POLICY: Final = BackoffPolicy(first=0.4, longest=10.0)
_JITTER: Final = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Interest:
    """Objects of one kind in a namespace that a Workspace references: the one with a name, all with some labels, or all."""

    namespace: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted; empty if there is a name. Without either, all objects of the namespace are meant."""

    @property
    def topic(self) -> tuple[str, str, str]:
        """Part of it by which it is found: the namespace, and the name or the first label."""
        return self.namespace, *(self.labels[0] if self.labels else ("", self.name))

    def covers(self, record: Any) -> bool:  # noqa: ANN401 - a record of any kind
        """Whether `record`, which has the topic, is one of the objects."""
        return not self.labels or all(record.labels.get(name) == value for name, value in self.labels)

    def selection(self) -> dict[str, str]:
        """Return it as parameters of a list."""
        if self.labels:
            return {"labelSelector": ",".join(f"{name}={value}" for name, value in self.labels)}
        return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}


def _topics(record: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - a record of any kind
    ref = record.meta.ref
    yield ref.namespace, "", ""
    yield ref.namespace, "", ref.name
    for name, value in getattr(record, "labels", {}).items():
        yield ref.namespace, name, value


def _always(_record: object, _key: Key) -> bool:
    return True


class _SharedWatch(Generic[RecordT]):
    """One watch, and the records in which a Workspace is interested; it is the sink of its informer."""

    def __init__(
        self, client: Client, source: Source[RecordT], changed: Callable[[Key], None], concerns: Callable[[RecordT, Key], bool]
    ) -> None:
        self._client = client
        self._source = source
        self._changed = changed
        self._concerns = concerns
        self._followers: dict[Interest, set[Key]] = {}
        self._by_topic: dict[tuple[str, str, str], set[Interest]] = {}
        self._records: Store[RecordT] = Store(lambda _record: None)
        self._members: dict[Interest, set[Key]] = {}
        """Interest → keys of its records."""
        self._known: set[Interest] = set()
        """Interests whose objects have been listed, or are known to be unavailable."""
        self._fetching: dict[Interest, asyncio.Task[None]] = {}
        self._informer = Informer(client, source, self, lambda _record: None, self._served)
        self._task = self._start(self._informer.run())

    @property
    def problem(self) -> str:
        """Why the kind cannot be watched; empty if it can."""
        return self._informer.problem

    @property
    def has_followers(self) -> bool:
        """Whether any Workspace is interested."""
        return bool(self._followers)

    def is_followed(self, interest: Interest) -> bool:
        """Whether any Workspace is interested in the objects of `interest`."""
        return interest in self._followers

    def follow(self, interest: Interest, key: Key) -> None:
        """Keep the objects of `interest` for the Workspace `key`; those that were dropped before are listed again."""
        if interest not in self._followers:
            self._by_topic.setdefault(interest.topic, set()).add(interest)
            if self._informer.is_missing:
                self._known.add(interest)
            elif self._informer.is_synced:
                self._fetching[interest] = self._start(self._fetch(interest))
        self._followers.setdefault(interest, set()).add(key)

    def unfollow(self, interest: Interest, key: Key) -> None:
        """Drop the objects of `interest` unless others are interested in them."""
        followers = self._followers[interest]
        followers.discard(key)
        if followers:
            return
        del self._followers[interest]
        self._known.discard(interest)
        task = self._fetching.pop(interest, None)
        if task is not None:
            task.cancel()
        topic = self._by_topic[interest.topic]
        topic.discard(interest)
        if not topic:
            del self._by_topic[interest.topic]
        for member in self._members.pop(interest, ()):
            record = self._records.get(member)
            if record is not None and not self._interests(record):
                self._records.drop(member)

    def is_synced(self, interest: Interest) -> bool:
        """Whether the objects of `interest` have been listed, or are known to be unavailable."""
        return interest in self._known

    def of(self, interest: Interest) -> tuple[RecordT, ...]:
        """Return the objects of `interest`, ordered by name."""
        found = (self._records.get(key) for key in sorted(self._members.get(interest, ())))
        return tuple(record for record in found if record is not None)

    def stop(self) -> list[asyncio.Task[None]]:
        """End the watch; return the tasks that end then."""
        tasks = [self._task, *self._fetching.values()]
        for task in tasks:
            task.cancel()
        return tasks

    # The sink of the informer. It reports no changes to it: which Workspaces a change concerns depends on the record before, too.

    @property
    def newest(self) -> int:
        """Newest version of any record, and of any event."""
        return self._records.newest

    def is_newer(self, key: Key, version: int) -> bool:
        """Whether an event of `version` is newer than the record; marks the version as delivered."""
        return self._records.is_newer(key, version)

    def advance(self, version: int) -> None:
        """Handle a bookmark."""
        self._records.advance(version)

    def put(self, key: Key, record: RecordT, version: int) -> bool:
        """Store a record if a Workspace is interested; notify those that are, or were."""
        before = self._records.get(key)
        interests = self._interests(record)
        if not interests:
            self.remove(key, version)
        elif self._records.put(key, record, version):
            self._assign(key, before, record, interests)
        elif self._records.get(key) == record:
            self._join(key, interests)  # of an interest that is newer than the record
        return False

    def remove(self, key: Key, version: int, _last: RecordT | None = None) -> RecordT | None:
        """Remove a deleted object; notify the Workspaces that are interested in it."""
        before = self._records.remove(key, version)
        if before is not None:
            self._assign(key, before, None, set())
        return None

    def replace(self, listed: Mapping[Key, tuple[RecordT, int]], version: int) -> list[RecordT]:
        """Replace all records by a complete list; notify all Workspaces."""
        kept = {key: entry for key, entry in listed.items() if self._interests(entry[0])}
        self._records.replace(kept, version)
        self._members = {}
        for key in self._records.keys():  # noqa: SIM118 - not a mapping
            record = self._records.get(key)
            if record is not None:
                self._join(key, self._interests(record))
        self._known = set(self._followers)
        self._notify(self._followers.keys())
        return []

    def _assign(self, key: Key, before: RecordT | None, after: RecordT | None, interests: set[Interest]) -> None:
        """Note that `interests` cover the object `key`, now `after`, and those of its record `before` not any more."""
        earlier = self._interests(before) if before is not None else set()
        for interest in earlier - interests:
            self._members.get(interest, set()).discard(key)
        self._join(key, interests)
        records = [record for record in (before, after) if record is not None]
        self._notify(earlier | interests, lambda follower: any(self._concerns(record, follower) for record in records))

    def _join(self, key: Key, interests: set[Interest]) -> None:
        for interest in interests:
            self._members.setdefault(interest, set()).add(key)

    def _interests(self, record: RecordT) -> set[Interest]:
        found = (interest for topic in _topics(record) for interest in self._by_topic.get(topic, ()))
        return {interest for interest in found if interest.covers(record)}

    def _notify(self, interests: Iterable[Interest], is_concerned: Callable[[Key], bool] = lambda _key: True) -> None:
        for key in {key for interest in interests for key in self._followers.get(interest, ()) if is_concerned(key)}:
            self._changed(key)

    def _served(self) -> None:
        if self._informer.is_missing:
            self._known = set(self._followers)
        self._notify(self._followers.keys())

    async def _fetch(self, interest: Interest) -> None:
        """Read the objects of an interest that is newer than the list of the watch."""
        backoff, limit = Backoff(_POLICY), _PAGE
        while interest not in self._known:
            try:
                await self._read(interest, limit)
            except TooLargeError:
                limit = max(limit // SMALLER_PAGE, 1)
            except (KindNotServedError, ForbiddenError):
                self._known.add(interest)  # as the watch itself will find out
            except ApiError as error:
                backoff = backoff.again(asyncio.get_running_loop().time())
                logger.info("cannot read what a Workspace references: %s; retrying", error)
                await asyncio.sleep(jittered(max(backoff.delay, error.retry_after), *_JITTER))
        self._fetching.pop(interest, None)
        self._notify([interest])

    async def _read(self, interest: Interest, limit: int) -> None:
        """List the objects of an interest; the list counts if it is as new as the watch, which else has delivered later events."""
        parameters = {"limit": str(limit)} | interest.selection()
        items: list[Mapping[str, Any]] = []
        while True:
            page = await self._client.list_page(self._source.resource, parameters, interest.namespace)
            items += page.get("items") or ()
            token = page["metadata"].get("continue")
            if not token:
                break
            parameters["continue"] = token
        if version_of(page) < self.newest:
            return
        for item in items:
            self.put(key_of(item), self._source.parse(item, self._source.resource.kind), version_of(item))
        self._known.add(interest)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"watch {self._source.resource.plural} that Workspaces reference")
        task.add_done_callback(_log_failure)
        return task


class FollowedObjects(Generic[RecordT]):
    """The objects of one kind that Workspaces reference."""

    def __init__(
        self,
        client: Client,
        make_source: Callable[[str], Source[RecordT]],
        changed: Callable[[Key], None],
        *,
        cluster_wide: bool,
        concerns: Callable[[RecordT, Key], bool] = _always,
    ) -> None:
        """Make it.

        `make_source` returns the source for a namespace, empty for all; `cluster_wide` is whether all may be watched; `concerns` returns
        whether a change of a record matters to a Workspace that follows it.
        """
        self._client = client
        self._make_source = make_source
        self._changed = changed
        self._concerns = concerns
        self._cluster_wide = cluster_wide
        self._watches: dict[str, _SharedWatch[RecordT]] = {}
        """Namespace, or empty for all, → its watch."""
        self._place_of: dict[Interest, str] = {}
        """Interest → the place of its watch, while any Workspace follows it."""

    def follow(self, interest: Interest, key: Key) -> None:
        """Watch the objects of `interest` for the Workspace `key`."""
        place = self._place_of.get(interest)
        if place is None:
            place = self._place_of[interest] = self._place(interest.namespace)
        if place not in self._watches:
            self._watches[place] = _SharedWatch(self._client, self._make_source(place), self._changed, self._concerns)
        self._watches[place].follow(interest, key)

    def unfollow(self, interest: Interest, key: Key) -> None:
        """Stop to watch them for the Workspace `key`, which follows it."""
        watch = self._watch(interest)
        watch.unfollow(interest, key)
        if watch.is_followed(interest):
            return
        place = self._place_of.pop(interest)
        if not watch.has_followers:
            del self._watches[place]
            watch.stop()

    def of(self, interest: Interest) -> tuple[RecordT, ...]:
        """Return the objects of a followed interest, ordered by name."""
        return self._watch(interest).of(interest)

    def is_synced(self, interest: Interest) -> bool:
        """Whether the objects of a followed interest have been listed, or are known to be unavailable."""
        return self._watch(interest).is_synced(interest)

    def problem(self, interest: Interest) -> str:
        """Return why the objects of a followed interest cannot be watched; empty if they can."""
        return self._watch(interest).problem

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [task for watch in self._watches.values() for task in watch.stop()]
        self._watches.clear()
        self._place_of.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, interest: Interest) -> _SharedWatch[RecordT]:
        return self._watches[self._place_of[interest]]

    def _place(self, namespace: str) -> str:
        """Return the place of the watch for a namespace: its own, or the whole cluster if there are too many."""
        if namespace in self._watches or not self._cluster_wide:
            return namespace
        return "" if "" in self._watches or len(self._watches) >= MOST_NAMESPACES else namespace
