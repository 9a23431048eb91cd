"""The informers that fill the cache: one for each watched kind, or for each of its namespaces, started in waves."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, Final, Protocol

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.watches import (
    CHART_OBJECTS,
    INFERENCE_SETS,
    NAMESPACES,
    WATCHED,
    WORKSPACES,
    Record,
    RecordT,
    WatchedKind,
)
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.store import Sink
from workspace_ctrl.kube.tasks import first_completed

logger = logging.getLogger(__name__)

_SYNC_LOG_SECONDS: Final = 10.0


class Changed(Protocol):
    """Called for each record of the cache that was added, changed or deleted."""

    def __call__(self, watched: WatchedKind[Any], record: Record) -> None:
        """Handle the event of a record of that kind."""


class CacheInformers:
    """The informers of a cache."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        selector: str,
        *,
        changed: Changed,
        changed_for_gateways: Callable[[], None],
        served: Callable[[], None],
        restarted: Callable[[str, str], None],
    ) -> None:
        """Make them; `selector` selects the Workspaces and InferenceSets.

        `changed_for_gateways` is called after `changed` for an event that may concern all Workspaces, or which routes
        listeners accept; `served` when a kind becomes available or unavailable; `restarted` with the plural of a kind
        and the cause when a watch is restarted.
        """
        self._client = client
        self._cache = cache
        self._selector = selector
        self._changed = changed
        self._changed_for_gateways = changed_for_gateways
        self._served = served
        self._restarted = restarted
        self._waves: list[list[Informer[Any]]] = []

    def prepare(self, unavailable: frozenset[str], further: Iterable[Informer[Any]]) -> Iterator[Informer[Any]]:
        """Make an informer of each watched kind that is not `unavailable`, and return all, with the `further` ones.

        What passes do not need to be made is listed afterwards, kind by kind, so that lists share the same memory.
        """
        informers = [(watched, self._informers_of(watched)) for watched in WATCHED if watched.name not in unavailable]
        first = [informer for watched, made in informers if watched not in CHART_OBJECTS for informer in made]
        self._waves = [[*first, *further], *(made for watched, made in informers if watched in CHART_OBJECTS)]
        return chain.from_iterable(self._waves)

    async def start(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        """Start them in `group`, and return their tasks once all kinds have been listed, or `stop` is set."""
        watching: list[asyncio.Task[None]] = []
        for wave in self._waves:
            watching += [group.create_task(informer.run(), name=f"watch {informer.resource.plural}") for informer in wave]
            await first_completed(partial(_all_synced, wave), stop.wait, partial(_log_unsynced, wave))
        return watching

    def _informers_of(self, watched: WatchedKind[Any]) -> list[Informer[Any]]:
        return [self._informer(watched, namespace, sink) for namespace, sink in self._cache.sinks(watched).items()]

    def _informer(self, watched: WatchedKind[RecordT], namespace: str, sink: Sink[RecordT]) -> Informer[RecordT]:
        selector = self._selector if watched in (WORKSPACES, INFERENCE_SETS) else watched.selector
        read = self._cache.reader(watched)
        source = Source(watched.resource, read, selector, namespace=namespace, metadata_only=watched.metadata_only)

        def changed(record: RecordT) -> None:
            self._changed(watched, record)
            if watched.concerns_all or watched is NAMESPACES:
                self._changed_for_gateways()

        restarted = partial(self._restarted, watched.resource.plural)
        return Informer(self._client, source, sink, changed, self._served, restarted=restarted)


async def _all_synced(informers: Iterable[Informer[Any]]) -> None:
    for informer in informers:
        await informer.wait_synced()


async def _log_unsynced(informers: Collection[Informer[Any]]) -> None:
    """Log again and again which kinds were not listed yet: as long as any is missing, no Workspace is reconciled and no status says why."""
    while True:
        await asyncio.sleep(_SYNC_LOG_SECONDS)
        waiting = sorted({informer.resource.plural for informer in informers if not informer.is_synced})
        if waiting:
            logger.info("waiting for cache sync: %s", ", ".join(waiting))
