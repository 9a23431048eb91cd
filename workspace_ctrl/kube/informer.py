"""Keeps a store in sync with the API server: list, watch, and a new list when the resource version of the watch has expired.

Unlike a watch of kopf (docs/architecture.md), it finds deletions that happened while a watch was broken, because a new list is compared
with the store; and it retries a kind that is not served (its CRD is missing) every few seconds, at the start and later.

A kind may be served in one of several versions, and in another one later, when its CRD has changed (which ends its watches). So each
watch tries the newest version first. A list in another version replaces all records, because they contain the version.

The first list is the beginning of the watch if the API server supports that (`sendInitialEvents`, Kubernetes 1.32 and later): one request
without a large response. Otherwise it is read in pages.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from sys import intern
from typing import Any, Final, Generic, TypeVar

from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy, jittered
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import (
    ApiError,
    ForbiddenError,
    GoneError,
    KindNotServedError,
    RejectedError,
    RetryableError,
    TooLargeError,
)
from workspace_ctrl.kube.pager import SMALLER_PAGE
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Key, Sink

RecordT = TypeVar("RecordT")
Event = Mapping[str, Any]

logger = logging.getLogger(__name__)

_PAGE = 100
"""Objects per page of a list: a whole page is in memory at once, together with its decoded objects."""
_WATCH_SECONDS = (270, 330)
_SHORTEST_WATCH = 1.0
"""A watch that the server ends within this time, in seconds, counts as failed."""
_POLICY: Final = BackoffPolicy(first=0.4, longest=10.0)
"""Delays between attempts after a broken watch."""
_JITTER: Final = (0.5, 1.5)
_LIST_SILENCE_SECONDS = 15.0
"""Longest time between two objects of a streamed list: an API server whose cache lags behind sends nothing, not even an error, and answers
a list in pages meanwhile. client-go warns after 10 s, and waits on."""
_RELIST_SECONDS = 1.0
_NOT_SERVED_SECONDS = 5.0
_LONGEST_MESSAGE = 500
_NO_OBJECT = "the response has no name or resource version, so it is not from the API server"
_END_OF_LIST = "k8s.io/initial-events-end"
_NO_STREAMING = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True)
class Source(Generic[RecordT]):
    """Which objects an informer watches, and how they are parsed."""

    resource: ApiResource
    parse: Callable[[Json, str], RecordT]
    """Returns the record of an object, given as JSON, and its kind; must not raise for any object."""
    selector: str = ""
    """Label selector, applied by the API server."""
    field_selector: str = ""
    """Field selector, such as `metadata.name=x`, applied by the API server."""
    namespace: str = ""
    """Only objects of this namespace; empty for all."""
    metadata_only: bool = False
    """Whether only the objects' metadata is requested: for kinds whose content may be large and is not needed."""

    def selection(self) -> dict[str, str]:
        """Return the selectors as parameters of a request."""
        selectors = {"labelSelector": self.selector, "fieldSelector": self.field_selector}
        return {name: selector for name, selector in selectors.items() if selector}


class _NotStreamedError(Exception):
    """The server did not send the list at the beginning of the watch."""


class _SilentListError(Exception):
    """The server began such a list, and then sent nothing for too long; it may send the next one."""


class Informer(Generic[RecordT]):
    """Watches one kind into a store, and reports each record that changed."""

    def __init__(
        self,
        client: Client,
        source: Source[RecordT],
        store: Sink[RecordT],
        changed: Callable[[RecordT], None],
        served: Callable[[], None],
        *,
        restarted: Callable[[str], None] = lambda _cause: None,
    ) -> None:
        """Create an informer.

        `changed` is called for each record that was added, changed or deleted; `served` when the kind becomes available or unavailable;
        `restarted` for each watch that has to be restarted, with the cause: ended, broken, expired or missing.
        """
        self._client = client
        self._source = source
        self._store = store
        self._changed = changed
        self._served = served
        self._restarted = restarted
        self._backoff = Backoff(_POLICY)
        self._version = ""
        """Resource version to watch from; empty if a new list is needed."""
        self._listed: ApiResource | None = None
        """The kind in the version of the latest list."""
        self._can_stream = True
        self._next_is_paged = False
        """Whether the next list is read in pages although lists can be streamed."""
        self._synced = asyncio.Event()
        self.is_missing = False
        """Whether the API server does not serve the kind, or RBAC does not allow to list it."""

    @property
    def resource(self) -> ApiResource:
        """The kind that is watched."""
        return self._source.resource

    @property
    def problem(self) -> str:
        """Why the kind is missing; empty if it is not."""
        return f"cannot list or watch {self.resource.plural} of {self.resource.api_version}" if self.is_missing else ""

    @property
    def is_synced(self) -> bool:
        """Whether the first list is in the store, or the kind is known to be missing."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return when the first list is in the store, or the kind is known to be missing."""
        await self._synced.wait()

    async def run(self) -> None:
        """Watch until cancelled; errors of the API server are retried."""
        while True:
            try:
                await self._list_and_watch()
                cause, pause = "ended", 0.0
            except _SilentListError:
                self._next_is_paged = True
                continue
            except _NotStreamedError:
                self._can_stream = False
                continue
            except GoneError:
                self._version = ""
                cause, pause = "expired", _RELIST_SECONDS
            except (KindNotServedError, ForbiddenError) as error:
                self._version = ""
                self._lose(error)
                cause, pause = "missing", _NOT_SERVED_SECONDS
            except ApiError as error:
                cause, pause = "broken", self._fail(error)
            self._restarted(cause)
            await asyncio.sleep(jittered(pause, *_JITTER))

    async def _list_and_watch(self) -> None:
        """List and watch the newest version that is served.

        Raises:
            KindNotServedError: no version is served.
        """
        *newer, oldest = self.resource.versions
        for resource in newer:
            with suppress(KindNotServedError):
                return await self._list_and_watch_in(resource)
        return await self._list_and_watch_in(oldest)

    async def _list_and_watch_in(self, resource: ApiResource) -> None:
        is_listed = bool(self._version) and resource == self._listed
        if not is_listed and self._can_stream and not self._next_is_paged:
            await self._watch(resource, is_list=True)
            return
        if not is_listed:
            await self._list_pages(resource)
        await self._watch(resource)

    async def _list_pages(self, resource: ApiResource) -> None:
        """List all objects into the store, page by page."""
        source = self._source
        parameters = {"limit": str(_PAGE)} | source.selection()
        listed: dict[Key, tuple[RecordT, int]] = {}
        while True:
            try:
                page = await self._client.list_page(resource, parameters, source.namespace, metadata_only=source.metadata_only)
            except TooLargeError as error:
                logger.warning("%s; retrying with a smaller page", error)
                parameters["limit"] = str(max(int(parameters["limit"]) // SMALLER_PAGE, 1))
                continue
            for item in page.get("items") or ():
                listed[key_of(item)] = self._record(item)
            version, token = version_of(page), page["metadata"].get("continue")
            if not token:
                break
            parameters["continue"] = token
        self._take_list(resource, listed, version)

    async def _watch(self, resource: ApiResource, *, is_list: bool = False) -> None:
        """Store events until the server ends the watch; after an error, the next watch continues from the last event.

        With `is_list`, the watch begins with all existing objects.
        """
        parameters = {
            "resourceVersion": "" if is_list else self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*_WATCH_SECONDS)),  # noqa: S311
            **self._source.selection(),
        }
        if is_list:
            parameters |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        source = self._source
        started = asyncio.get_running_loop().time()
        stream = self._client.watch(resource, parameters, source.namespace, metadata_only=source.metadata_only)
        async with aclosing(stream) as events:
            if is_list:
                await self._take_initial_events(resource, events)
            async for event in events:
                self._take(event["type"], event["object"])
        if asyncio.get_running_loop().time() - started < _SHORTEST_WATCH:
            raise RetryableError(f"watch of {self.resource.plural} was closed at once")

    async def _take_initial_events(self, resource: ApiResource, events: AsyncIterator[Event]) -> None:
        """Store the list at the beginning of a watch.

        Raises:
            _NotStreamedError: the server does not support such lists, or did not finish it.
            _SilentListError: it sent nothing for too long.
        """
        listed: dict[Key, tuple[RecordT, int]] = {}
        try:
            while (event := await self._next(events)) is not None:
                type_, item = event["type"], event["object"]
                _raise_error(type_, item)
                if type_ == "BOOKMARK":
                    version = version_of(item)
                    if _END_OF_LIST not in (item["metadata"].get("annotations") or {}):
                        break
                    self._take_list(resource, listed, version)
                    return
                if type_ == "DELETED":
                    listed.pop(key_of(item), None)
                else:
                    listed[key_of(item)] = self._record(item)
        except RejectedError as error:
            if error.status not in _NO_STREAMING:
                raise
        raise _NotStreamedError

    async def _next(self, events: AsyncIterator[Event]) -> Event | None:
        """Return the next event of a streamed list, or None at its end.

        Raises:
            _SilentListError: the server sends nothing.
        """
        try:
            async with asyncio.timeout(_LIST_SILENCE_SECONDS):
                return await anext(events, None)
        except TimeoutError:
            silence = f"the API server has sent nothing of its list for {_LIST_SILENCE_SECONDS:g} s"
            logger.warning("%s: %s; listing page by page", self.resource.plural, silence)
            raise _SilentListError from None

    def _take_list(self, resource: ApiResource, listed: Mapping[Key, tuple[RecordT, int]], version: int) -> None:
        self._recover()
        if self._listed is not None and resource != self._listed:
            logger.info("%s are now served as %s", resource.plural, resource.api_version)
        self._next_is_paged = False
        self._listed, self._version = resource, str(version)
        for record in self._store.replace(listed, version):
            self._changed(record)
        self._find()

    def _take(self, type_: str, item: Mapping[str, Any]) -> None:
        _raise_error(type_, item)
        version = version_of(item)
        self._recover()
        self._version = str(version)
        if type_ == "BOOKMARK":
            self._store.advance(version)
            return
        key = key_of(item)
        if type_ == "DELETED":
            gone = self._store.remove(key, version, self._record(item)[0])
            if gone is not None:
                self._changed(gone)
        elif self._store.is_newer(key, version):  # our own writes come back as events
            record, _ = self._record(item)
            if self._store.put(key, record, version):
                self._changed(record)

    def _record(self, item: Mapping[str, Any]) -> tuple[RecordT, int]:
        return self._source.parse(item, self.resource.kind), version_of(item)

    def _fail(self, error: ApiError) -> float:
        """Log a failure, the first one in a row as a warning; return the seconds until the next attempt."""
        self._backoff = self._backoff.again(asyncio.get_running_loop().time())
        level = logging.WARNING if self._backoff.attempts == 1 else logging.DEBUG
        logger.log(level, "%s; retrying", error)
        return max(self._backoff.delay, error.retry_after)

    def _recover(self) -> None:
        if self._backoff.attempts:
            logger.info("watch of %s restored", self.resource.plural)
            self._backoff = Backoff(_POLICY)

    def _find(self) -> None:
        was_missing, self.is_missing = self.is_missing, False
        self._synced.set()
        if was_missing:
            logger.info("%s are now served by the cluster", self.resource.plural)
            self._served()

    def _lose(self, error: ApiError) -> None:
        if not self.is_missing:
            logger.info("cannot list or watch %s (%s); retrying every 5 s", self.resource.plural, error)
            self.is_missing = True
            for record in self._store.replace({}, self._store.newest):
                self._changed(record)
            self._served()
        self._synced.set()


def _raise_error(type_: str, item: Mapping[str, Any]) -> None:
    if type_ == "ERROR":
        words = item.get("message", item) if isinstance(item, dict) else item
        is_gone = isinstance(item, dict) and item.get("code") == HTTPStatus.GONE
        raise (GoneError if is_gone else RetryableError)(str(words)[:_LONGEST_MESSAGE])


def key_of(item: Mapping[str, Any]) -> Key:
    """Return namespace and name of an object.

    Raises:
        RetryableError: there is none, so the response is not from the API server.
    """
    try:
        metadata = item["metadata"]
        return intern(metadata.get("namespace", "")), intern(metadata["name"])
    except (TypeError, LookupError, AttributeError):
        raise RetryableError(_NO_OBJECT) from None


def version_of(item: Mapping[str, Any]) -> int:
    """Return the resource version of an object, a list or a bookmark.

    Raises:
        RetryableError: there is none, so the response is not from the API server.
    """
    try:
        return int(item["metadata"]["resourceVersion"])
    except (TypeError, LookupError, ValueError):
        raise RetryableError(_NO_OBJECT) from None
