"""Informers, queue and workers of one process, from start to graceful stop."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.discovery import watched_namespaces
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.missing_kinds import MissingKinds
from workspace_ctrl.controller.event_handler import EventHandler
from workspace_ctrl.controller.passes.background_tasks import make_background_tasks
from workspace_ctrl.controller.passes.cache_informers import CacheInformers
from workspace_ctrl.controller.passes.gateway_tasks import GatewayTasks
from workspace_ctrl.controller.passes.pipeline import PassInputs, make_reconciler
from workspace_ctrl.controller.passes.workers import Workers
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key
from workspace_ctrl.load.load_reader import LoadReader
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.events import EventRecorder, NoEventRecorder
from workspace_ctrl.telemetry.observer_interface import NullObserver, Observer, StatusChange

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
        self,
        client: Client,
        settings: Settings,
        visibility: Visibility | None = None,
        observer: Observer | None = None,
        loads: LoadReader | None = None,
    ) -> None:
        """Make a manager: first the cache, then the event handler, then the reconcilers, and last the informers that start it all."""
        visibility = visibility or Visibility()
        self._observer: Observer = observer or NullObserver()
        self._queue: WorkQueue[Key] = WorkQueue(_namespace)
        namespaces = partial(watched_namespaces, settings.scope, namespaced_only=visibility.namespaced_only)
        self._cache = Cache(namespaces, companion=settings.plan.is_companion)
        self._missing = MissingKinds()
        dependents, states = DependencyIndex(), States()
        self._events = EventHandler(
            self._queue, self._cache, dependents, states, settings.pass_interval, settings.progress_interval
        )

        self._recorder = EventRecorder(client, self._observer.event_dropped) if settings.events else NoEventRecorder()
        self._watches = DynamicWatches(client, self._events.enqueue, cluster_wide=not settings.scope.namespaces)
        self._tasks = make_background_tasks(client, settings, self._events.enqueue, loads)
        self._gateways = GatewayTasks(
            client,
            self._cache,
            settings,
            self._missing,
            routers_changed=self._events.enqueue_all,
            index_changed=self._observer.index_changed,
            body_routers=visibility.body_routers,
        )
        self._claims = RouteClaims(self._cache, self._gateways, self._events.enqueue, is_shard=settings.scope.selector != "")
        inputs = PassInputs(
            self._cache,
            self._watches,
            dependents,
            states,
            self._claims,
            self._missing,
            self._tasks,
            self._gateways.routers,
            self._events.written,
        )
        reconciler = make_reconciler(client, settings, inputs, self._status_written)
        self._workers = Workers(self._queue, reconciler.reconcile, settings, self._observer)
        self._informers = CacheInformers(
            client,
            self._cache,
            settings.scope.selector,
            changed=self._events.handle,
            changed_for_gateways=self._gateways.enqueue,
            served=self._served_kinds_changed,
            restarted=self._observer.watch_restarted,
        )
        self._missing.follow(self._informers.prepare(visibility.unavailable, self._gateways.informers))

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
            await self._tasks.close()

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            watching = await self._informers.start(group, stop)
            if self.is_synced:
                self._claims.prime()
                logger.info(
                    "watching %d Workspaces and %d InferenceSets", len(self._cache.workspaces), len(self._cache.inference_sets)
                )
                self._gateways.routers.assess()  # so that the first passes know of them
                watching.append(group.create_task(self._gateways.run(), name="gateways"))
            recording = group.create_task(self._recorder.run(), name="events")
            working = self._workers.start(group)
            await stop.wait()
            for task in watching:
                task.cancel()
            await self._workers.drain()
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

    def _status_written(self, change: StatusChange) -> None:
        self._observer.status_written(change)
        self._recorder.status_written(change)

    def _served_kinds_changed(self) -> None:
        self._claims.expect_all()
        self._events.enqueue_all()


def _namespace(key: Key) -> str:
    """Return the group of a Workspace in the work queue: nobody's many Workspaces hold up those of another namespace."""
    return key[0]
