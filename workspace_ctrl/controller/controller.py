"""Informers, queue and workers of one process, from start to graceful stop."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from workspace_ctrl.controller.asking import Asker
from workspace_ctrl.controller.body_routers import BodyRouters
from workspace_ctrl.controller.cache import Cache
from workspace_ctrl.controller.chart_looks import ChartLooks
from workspace_ctrl.controller.credentials import credentials_reader
from workspace_ctrl.controller.events import EventRecorder
from workspace_ctrl.controller.kinds import WATCHED, WORKSPACE, WatchedKind
from workspace_ctrl.controller.probe import Prober
from workspace_ctrl.controller.racing import first_done
from workspace_ctrl.controller.reconciler import Reconciler
from workspace_ctrl.controller.references import References
from workspace_ctrl.controller.reports import NoReports, Reports, Result, StatusChange
from workspace_ctrl.controller.settings import ProbeMode, ProbeSettings, Settings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, NamespaceTerminatingError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key, Sink

logger = logging.getLogger(__name__)


class Controller:
    """Watches all kinds into the cache and reconciles each Workspace that an event concerns."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        shut: frozenset[str] = frozenset(),
        unwatched: frozenset[str] = frozenset(),
        body_routers: bool = False,
        reports: Reports | None = None,
    ) -> None:
        self._settings = settings
        self._cache = Cache(partial(settings.scope.watched_in, shut=shut))
        self._queue: WorkQueue[Key] = WorkQueue()
        self._stopping = False
        self._reports: Reports = reports or NoReports()
        self._recorder = EventRecorder(client, self._reports.event_dropped) if settings.events else None
        wanted = [watched for watched in WATCHED if watched.store not in unwatched]
        of_kinds = [(watched, self._informers_of(client, watched)) for watched in wanted]
        self._informers = [informer for _, informers in of_kinds for informer in informers]
        self._first_wave = [informer for watched, informers in of_kinds if not watched.is_part for informer in informers]
        self._body_routers: BodyRouters | None = None
        if body_routers:
            self._body_routers = BodyRouters(client, self._cache, settings, self._missing_kinds, self._add_all)
            self._informers += self._body_routers.informers
            self._first_wave += self._body_routers.informers
        self._later_waves = [informers for watched, informers in of_kinds if watched.is_part]
        self._references = References(client, self._add)
        self._prober = _prober(client, settings.probe, self._add)
        self._charts = ChartLooks(settings.helm, self._add) if settings.helm else None
        self._reconciler = Reconciler(
            client,
            self._cache,
            self._references,
            settings,
            missing_kinds=self._missing_kinds,
            status_written=self._status_written,
            claims_changed=self._add,
            prober=self._prober,
            charts=self._charts,
            body_routers=self._body_routers,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then let the passes under way finish.

        Cancelling it stops all passes at once.

        Raises:
            ExceptionGroup: a task ended with an error that is none of the API server's, which is a defect.
        """
        try:
            self._reports.started(self._queue, self._cache)
            await self._run(stop)
        finally:
            self._reports.stopped()
            await self._references.close()
            if self._prober is not None:
                await self._prober.close()
            if self._charts is not None:
                await self._charts.close()

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            watching: list[asyncio.Task[None]] = []
            # What passes do not need to be made is listed afterwards, kind by kind, so that lists share the same memory.
            for wave in (self._first_wave, *self._later_waves):
                watching += [group.create_task(informer.run(), name=f"watch {informer.resource.plural}") for informer in wave]
                await first_done(partial(_all_synced, wave), stop.wait)
            if self.is_synced:
                self._reconciler.prime()
                logger.info("watching %d Workspaces", len(self._cache.workspace_keys()))
                if self._body_routers is not None:
                    self._body_routers.assess()  # so that the first passes know of them
                    watching.append(group.create_task(self._body_routers.run(), name="body-based routers"))
            recording = group.create_task(self._recorder.run(), name="events") if self._recorder is not None else None
            working = [group.create_task(self._work(), name=f"worker {number}") for number in range(self._settings.workers)]
            await stop.wait()
            self._stopping = True
            for task in watching:
                task.cancel()
            await self._drain()
            for task in working:
                task.cancel()
            if self._recorder is not None and recording is not None:
                await self._recorder.flush()
                recording.cancel()

    @property
    def is_synced(self) -> bool:
        """Whether every kind has been listed, or is known to be missing."""
        return not self.unsynced_kinds

    @property
    def unsynced_kinds(self) -> tuple[str, ...]:
        """The kinds that were not listed yet, in order."""
        return tuple(sorted({informer.resource.kind for informer in self._informers if not informer.is_synced}))

    async def _drain(self) -> None:
        """Wait for the passes under way, but no longer than the settings allow."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._queue.idle()

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                if not self._stopping:
                    await self._pass(key)
            finally:
                self._queue.done(key)

    async def _pass(self, key: Key) -> None:
        """Make one pass; whatever goes wrong concerns this key alone, which is tried again."""
        began, result = asyncio.get_running_loop().time(), Result.SUCCESS
        try:
            again = await self._reconciler.reconcile(key)
        except NamespaceTerminatingError as error:
            logger.debug("Workspace %s/%s: %s", *key, error)  # it is deleted as well in a moment
            self._queue.add_after(key, self._settings.refusal_interval)
        except ApiError as error:
            result, delay = Result.ERROR, self._queue.retry(key, error.retry_after)
            logger.warning("Workspace %s/%s: %s; retrying in %.1f s", *key, error, delay)
        except Exception:  # the one broad net: a defect in one pass must not end the others
            result, delay = Result.PANIC, self._queue.retry(key)
            logger.exception("Workspace %s/%s: unexpected error; retrying in %.1f s", *key, delay)
        else:
            self._queue.forget(key)
            if again is not None:
                result = Result.REQUEUE_AFTER
                self._queue.add_after(key, again)
        self._reports.pass_ended(result, asyncio.get_running_loop().time() - began)

    def _status_written(self, change: StatusChange) -> None:
        self._reports.status_written(change)
        if self._recorder is not None:
            self._recorder.status_written(change)

    def _informers_of(self, client: Client, watched: WatchedKind) -> list[Informer[Any]]:
        return [self._informer(client, watched, namespace, sink) for namespace, sink in self._cache.sinks(watched).items()]

    def _informer(self, client: Client, watched: WatchedKind, namespace: str, sink: Sink[Any]) -> Informer[Any]:
        selector = self._settings.scope.selector if watched.resource is WORKSPACE else watched.selector
        source = Source(watched.resource, watched.read, selector, namespace=namespace, metadata_only=watched.metadata_only)

        def changed(record: Any) -> None:  # noqa: ANN401
            if record.meta.unreadable and watched.resource is not WORKSPACE:  # a Workspace says so in its status
                logger.warning("%s cannot be read: %s", record.meta.ref, record.meta.unreadable)
            key = self._cache.workspace_of(watched, record)
            if key is not None:
                self._add(key)
            elif watched.on_interest:
                for interested in self._reconciler.interested_in(record.meta.ref):
                    self._add(interested)
            elif watched.concerns_all:
                self._add_all()
                if self._body_routers is not None:
                    self._body_routers.look()

        restarted = partial(self._reports.watch_restarted, watched.resource.plural)
        return Informer(client, source, sink, changed, self._kind_came_or_went, restarted=restarted)

    def _add(self, key: Key) -> None:
        """Make a pass over `key` due, at once or after its delay; what users want comes before what follows from it."""
        if not self._reconciler.has_seen(key):
            self._queue.add(key, ahead=True)
            return
        delay = self._reconciler.delay(key)
        if delay > 0:
            self._queue.add_after(key, delay)
        else:
            self._queue.add(key)

    def _kind_came_or_went(self) -> None:
        self._reconciler.expect_all()
        self._add_all()

    def _add_all(self) -> None:
        for key in self._cache.workspace_keys():
            self._add(key)

    def _missing_kinds(self) -> set[str]:
        """Return the kinds that cannot be had anywhere; where only one namespace is shut, a write to it says so."""
        had = {informer.resource.kind for informer in self._informers if not informer.is_missing}
        return {informer.resource.kind for informer in self._informers} - had


async def _all_synced(informers: Iterable[Informer[Any]]) -> None:
    for informer in informers:
        await informer.wait_synced()


def _prober(client: Client, settings: ProbeSettings, changed: Callable[[Key], None]) -> Prober | None:
    if settings.mode is ProbeMode.OFF:
        return None
    return Prober(Asker(settings.mode, credentials_reader(client, settings.secret)), settings.interval, changed)
