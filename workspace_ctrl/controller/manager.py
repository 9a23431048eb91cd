"""Informers, queue and workers of one process, from start to graceful stop."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.discovery import watched_namespaces
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.missing_kinds import MissingKinds
from workspace_ctrl.cache.watches import CHART_OBJECTS, WATCHED, WORKSPACE, RecordT, WatchedKind
from workspace_ctrl.controller.body_router_reconciler import BodyRouterReconciler, NoBodyRouterReconciler
from workspace_ctrl.controller.event_handler import EventHandler
from workspace_ctrl.controller.executor import Executor
from workspace_ctrl.controller.publisher import Publisher
from workspace_ctrl.controller.reconciler import Reconciler
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.controller.status_write_interval import intervals_of
from workspace_ctrl.controller.take_snapshot import Background
from workspace_ctrl.controller.workspace_states import States
from workspace_ctrl.helm.chart_verifier import ChartVerifier, NoChartVerifier
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, NamespaceTerminatingError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key, Sink
from workspace_ctrl.kube.tasks import first_completed
from workspace_ctrl.probe.prober import make_prober
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.events import EventRecorder, NoEventRecorder
from workspace_ctrl.telemetry.observer import NullObserver, Observer, Result, StatusChange

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a process can see of the cluster, found out before it starts (`cache.discovery`)."""

    namespaced_only: frozenset[str] = frozenset()
    """Names of watched kinds that can be listed only in the namespaces of the scope."""
    unavailable: frozenset[str] = frozenset()
    """Names of watched kinds that are not watched, because the feature gate is off and they cannot be listed."""
    body_routers: bool = False
    """Whether the body-based routers of Gateways are managed."""


class Manager:
    """Watches all kinds into the cache and reconciles each Workspace that an event concerns."""

    def __init__(
        self, client: Client, settings: Settings, visibility: Visibility | None = None, observer: Observer | None = None
    ) -> None:
        """Make a manager: first the cache, then the event handler, then the reconcilers, and last the informers that start it all."""
        visibility = visibility or Visibility()
        self._settings = settings
        self._observer: Observer = observer or NullObserver()
        self._stopping = False
        self._queue: WorkQueue[Key] = WorkQueue(_namespace)
        self._cache = Cache(partial(watched_namespaces, settings.scope, namespaced_only=visibility.namespaced_only))
        self._missing = MissingKinds()
        dependents, states = DependencyIndex(), States()
        self._events = EventHandler(
            self._queue, self._cache, dependents, states, settings.pass_interval, settings.progress_interval
        )

        self._recorder = EventRecorder(client, self._observer.event_dropped) if settings.events else NoEventRecorder()
        self._watches = DynamicWatches(client, self._events.enqueue, cluster_wide=not settings.scope.namespaces)
        self._prober = make_prober(client, settings, self._events.enqueue)
        self._charts = ChartVerifier(settings.helm, self._events.enqueue) if settings.helm else NoChartVerifier()
        routers = BodyRouterReconciler if visibility.body_routers else NoBodyRouterReconciler
        self._gateways = routers(client, self._cache, settings, self._missing, self._events.enqueue_all)
        self._claims = RouteClaims(self._cache, self._gateways, self._events.enqueue, is_shard=settings.scope.selector != "")
        executor = Executor(client, self._cache, self._watches, settings, self._charts)
        self._reconciler = Reconciler(
            self._cache,
            self._watches,
            dependents,
            states,
            self._claims,
            executor,
            Publisher(self._cache, executor, self._prober, states.load, intervals_of(settings), self._status_written),
            settings.plan,
            missing_kinds=self._missing,
            background=self._background,
        )

        informers = [
            (watched, self._informers_of(client, watched)) for watched in WATCHED if watched.name not in visibility.unavailable
        ]
        self._first_wave = [informer for watched, made in informers if watched not in CHART_OBJECTS for informer in made]
        self._first_wave += self._gateways.informers
        self._later_waves = [made for watched, made in informers if watched in CHART_OBJECTS]
        self._missing.follow(chain(self._first_wave, *self._later_waves))

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then let the passes under way finish.

        Cancelling it stops all passes at once.

        Raises:
            ExceptionGroup: a task ended with an error that is none of the API server's, which is a defect.
        """
        try:
            self._observer.started(self._queue, self._cache)
            await self._run(stop)
        finally:
            self._observer.stopped()
            await self._watches.close()
            await self._prober.close()
            await self._charts.close()

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            watching: list[asyncio.Task[None]] = []
            # What passes do not need to be made is listed afterwards, kind by kind, so that lists share the same memory.
            for wave in (self._first_wave, *self._later_waves):
                watching += [group.create_task(informer.run(), name=f"watch {informer.resource.plural}") for informer in wave]
                await first_completed(partial(_all_synced, wave), stop.wait)
            if self.is_synced:
                self._claims.prime()
                logger.info("watching %d Workspaces", len(self._cache.workspaces))
                self._gateways.assess()  # so that the first passes know of them
                watching.append(group.create_task(self._gateways.run(), name="body-based routers"))
            recording = group.create_task(self._recorder.run(), name="events")
            working = [group.create_task(self._work(), name=f"worker {number}") for number in range(self._settings.workers)]
            await stop.wait()
            self._stopping = True
            for task in watching:
                task.cancel()
            await self._drain()
            for task in working:
                task.cancel()
            await self._recorder.flush()
            recording.cancel()

    @property
    def is_synced(self) -> bool:
        """Whether every kind has been listed, or is known to be missing."""
        return not self.unsynced_kinds

    @property
    def unsynced_kinds(self) -> tuple[str, ...]:
        """The kinds that were not listed yet, in order."""
        return self._missing.unsynced

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
        self._observer.pass_ended(result, asyncio.get_running_loop().time() - began)

    def _background(self, key: Key) -> Background:
        """Return what other tasks have found out for the Workspace `key`."""
        return Background(self._prober.result(key), self._prober.is_enabled, self._charts.verdicts, self._gateways.states)

    def _status_written(self, change: StatusChange) -> None:
        self._observer.status_written(change)
        self._recorder.status_written(change)

    def _informers_of(self, client: Client, watched: WatchedKind[Any]) -> list[Informer[Any]]:
        return [self._informer(client, watched, namespace, sink) for namespace, sink in self._cache.sinks(watched).items()]

    def _informer(self, client: Client, watched: WatchedKind[RecordT], namespace: str, sink: Sink[RecordT]) -> Informer[RecordT]:
        selector = self._settings.scope.selector if watched.resource is WORKSPACE else watched.selector
        source = Source(watched.resource, watched.read, selector, namespace=namespace, metadata_only=watched.metadata_only)

        def changed(record: RecordT) -> None:
            self._events.handle(watched, record)
            if watched.concerns_all:
                self._gateways.enqueue()

        restarted = partial(self._observer.watch_restarted, watched.resource.plural)
        return Informer(client, source, sink, changed, self._served_kinds_changed, restarted=restarted)

    def _served_kinds_changed(self) -> None:
        self._claims.expect_all()
        self._events.enqueue_all()


async def _all_synced(informers: Iterable[Informer[Any]]) -> None:
    for informer in informers:
        await informer.wait_synced()


def _namespace(key: Key) -> str:
    """Return the group of a Workspace in the work queue: nobody's many Workspaces hold up those of another namespace."""
    return key[0]
