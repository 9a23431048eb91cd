"""Writes Events for transitions of Workspaces, outside of the passes."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, NotFoundError
from workspace_ctrl.kube.events import (
    EVENT,
    MOST_KEPT,
    SERIES_SECONDS,
    Event,
    RateLimits,
    Regarding,
    Series,
    event_manifest,
    event_name,
    series_patch,
)
from workspace_ctrl.readiness.event_policy import Transition, canary_transition, transition
from workspace_ctrl.telemetry.observer_interface import Drop, StatusChange

logger = logging.getLogger(__name__)

_MOST_WAITING: Final = 2000
"""Number of Events that can wait to be written; each has a few KiB at most."""
_FLUSH_SECONDS: Final = 1.0


class NoEventRecorder:
    """Stands for a recorder where no Events are written."""

    def status_written(self, change: StatusChange) -> None:
        """Do nothing."""

    async def run(self) -> None:
        """Return at once."""

    async def flush(self) -> None:
        """Do nothing."""


class EventRecorder:
    """Writes Events, one after the other; if too many wait, further ones are dropped and counted."""

    def __init__(self, client: Client, dropped: Callable[[Drop], None], most_waiting: int = _MOST_WAITING) -> None:
        self._client = client
        self._dropped = dropped
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(most_waiting)
        self._limits = RateLimits()
        self._series: BoundedCache[object, Series] = BoundedCache(MOST_KEPT)
        self._instance = socket.gethostname()

    def status_written(self, change: StatusChange) -> None:
        """Queue an Event for each transition that the new status is."""
        for found in (transition, canary_transition):
            told = found(change.workspace.status, change.status)
            if told is not None:
                self._queue(change, told)

    def _queue(self, change: StatusChange, told: Transition) -> None:
        meta = change.workspace.meta
        if not self._limits.allow(meta.uid, asyncio.get_running_loop().time()):
            self._dropped(Drop.RATE_LIMITED)
            return
        regarding = Regarding(meta.api_version, meta.ref.kind, meta.ref.namespace, meta.ref.name, meta.uid)
        event = Event(regarding, told.is_failure, told.reason, told.message, datetime.now(UTC))
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._dropped(Drop.QUEUE_FULL)

    async def run(self) -> None:
        """Write Events until cancelled; an Event that the API server rejects is dropped."""
        while True:
            event = await self._waiting.get()
            try:
                await self._write(event)
            except ApiError as error:
                logger.debug("dropping event %s for %s: %s", event.reason, event.regarding.name, error)
                self._dropped(Drop.REFUSED)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until all queued Events are written, at most one second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._waiting.join()

    async def _write(self, event: Event) -> None:
        now = asyncio.get_running_loop().time()
        known = self._series.get(event.identity)
        if known is not None and now - known.seen_at <= SERIES_SECONDS:
            series = known.again(now)
            try:
                await self._client.merge_patch(EVENT, event.regarding.namespace, series.name, series_patch(series, event.moment))
            except NotFoundError:
                logger.debug("event %s has expired; creating a new one", series.name)
            else:
                self._series.keep(event.identity, series)
                return
        name = event_name(event)
        await self._client.apply(EVENT, event_manifest(event, name, FIELD_MANAGER, self._instance), force=True)
        self._series.keep(event.identity, Series(name, 1, now))
