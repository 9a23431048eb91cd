"""Keeps a store in step with the API server: list, watch, and list anew when the watch has lost its place.

What kopf's own watch does not give (docs/architecture.md): deletions that happened while a watch was broken are found, because a new list
is compared with the store; a kind that is not served (its CRD is missing) is asked for again quietly, at the start and at any later time.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from sys import intern
from typing import Any, Generic, TypeVar

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ForbiddenError, GoneError, KindNotServedError
from workspace_ctrl.kube.resources import Json, Resource
from workspace_ctrl.kube.store import Key, Store

RecordT = TypeVar("RecordT")

logger = logging.getLogger(__name__)

_PAGE = 100
"""Objects in a page of a list: whole pages are in memory at once, and with them their decoded objects."""
_WATCH_SECONDS = (270, 330)
_RETRY_SECONDS = (0.2, 10.0)
_NOT_SERVED_SECONDS = 5.0


@dataclass(frozen=True)
class Source(Generic[RecordT]):
    """What an informer watches, and how it reads it."""

    resource: Resource
    parse: Callable[[Json, str], RecordT]
    """Makes a record from an object and its kind."""
    selector: str = ""
    """Label selector, applied by the API server."""
    field_selector: str = ""
    """Field selector, such as `metadata.name=x`, applied by the API server."""
    namespace: str = ""
    """Only objects of this namespace; empty for all."""
    metadata_only: bool = False
    """Whether content and status stay on the API server."""


class Informer(Generic[RecordT]):
    """Watches one kind into a store and tells of each record that changed."""

    def __init__(
        self,
        client: Client,
        source: Source[RecordT],
        store: Store[RecordT],
        changed: Callable[[RecordT], None],
        served: Callable[[], None],
    ) -> None:
        self._client = client
        self._source = source
        self._store = store
        self._changed = changed
        self._served = served
        self._failures = 0
        self._version = ""
        """Resource version to watch from; empty where a new list is needed."""
        self._synced = asyncio.Event()
        self.is_missing = False
        """Whether the API server does not serve the kind, or does not let us see it."""

    @property
    def resource(self) -> Resource:
        """The kind that is watched."""
        return self._source.resource

    @property
    def is_synced(self) -> bool:
        """Whether the first list is in the store, or the kind is known to be missing."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return when the first list is in the store, or the kind is known to be missing."""
        await self._synced.wait()

    async def run(self) -> None:
        """Watch until cancelled; no error of the API server ends it."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except GoneError:
                self._version = ""
            except (KindNotServedError, ForbiddenError) as error:
                self._version = ""
                self._lose(error)
                await asyncio.sleep(_jittered(_NOT_SERVED_SECONDS))
            except ApiError as error:
                self._failures += 1
                level = logging.WARNING if self._failures == 1 else logging.DEBUG
                logger.log(level, "%s; trying again until it succeeds", error)
                await asyncio.sleep(_jittered(min(_RETRY_SECONDS[0] * 2**self._failures, _RETRY_SECONDS[1])))

    async def _list(self) -> None:
        """List all objects into the store."""
        parameters = {"limit": str(_PAGE)} | self._selection()
        listed: dict[Key, tuple[RecordT, int]] = {}
        while True:
            page = await self._client.list_page(
                self.resource, parameters, self._source.namespace, metadata_only=self._source.metadata_only
            )
            for item in page.get("items") or ():
                listed[_key_of(item)] = (self._source.parse(item, self.resource.kind), _version_of(item))
            token = page["metadata"].get("continue")
            if not token:
                break
            parameters["continue"] = token
        self._recover()
        self._version = page["metadata"]["resourceVersion"]
        for record in self._store.replace(listed, int(self._version)):
            self._changed(record)
        self._find()

    async def _watch(self) -> None:
        """Take in events until the server ends the watch; where it breaks, the next one goes on from the last event."""
        parameters = {
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*_WATCH_SECONDS)),  # noqa: S311
            **self._selection(),
        }
        source = self._source
        async for event in self._client.watch(self.resource, parameters, source.namespace, metadata_only=source.metadata_only):
            self._take(event["type"], event["object"])

    def _take(self, type_: str, item: Mapping[str, Any]) -> None:
        if type_ == "ERROR":
            error = GoneError if item.get("code") == HTTPStatus.GONE else ApiError
            raise error(str(item.get("message", item)))
        self._recover()
        self._version = item["metadata"]["resourceVersion"]
        version = int(self._version)
        if type_ == "BOOKMARK":
            self._store.advance(version)
        elif type_ == "DELETED":
            gone = self._store.remove(_key_of(item), version)
            if gone is not None:
                self._changed(gone)
        elif self._store.is_newer(_key_of(item), version):  # our own writes come back as events
            record = self._source.parse(item, self.resource.kind)
            if self._store.put(_key_of(item), record, version):
                self._changed(record)

    def _selection(self) -> dict[str, str]:
        selectors = {"labelSelector": self._source.selector, "fieldSelector": self._source.field_selector}
        return {name: selector for name, selector in selectors.items() if selector}

    def _recover(self) -> None:
        if self._failures:
            logger.info("%s are watched again", self.resource.plural)
            self._failures = 0

    def _find(self) -> None:
        was_missing, self.is_missing = self.is_missing, False
        self._synced.set()
        if was_missing:
            logger.info("%s are served now", self.resource.plural)
            self._served()

    def _lose(self, error: ApiError) -> None:
        if not self.is_missing:
            logger.info("%s are not to be had (%s); asking again quietly", self.resource.plural, error)
            self.is_missing = True
            for record in self._store.replace({}, self._store.newest):
                self._changed(record)
            self._served()
        self._synced.set()


def _key_of(item: Mapping[str, Any]) -> Key:
    metadata = item["metadata"]
    return intern(metadata.get("namespace", "")), intern(metadata["name"])


def _version_of(item: Mapping[str, Any]) -> int:
    return int(item["metadata"]["resourceVersion"])


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311
