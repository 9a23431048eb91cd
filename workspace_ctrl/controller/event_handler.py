"""From an event of a watched kind to the Workspaces in the work queue."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.watches import INFERENCE_POOLS, PODS, WORKSPACE, Enqueues, RecordT, WatchedKind
from workspace_ctrl.controller.workspace_states import States
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.meta import ObjectRef

logger = logging.getLogger(__name__)

_SERVING: Final = (PODS, INFERENCE_POOLS)
"""Kinds of which an event may also concern the Workspaces that share a rule of a route with the owner."""


class EventHandler:
    """Enqueues the Workspaces that an event concerns, as the table of watched kinds says."""

    def __init__(  # noqa: PLR0917 - the parts that it works with
        self,
        queue: WorkQueue[Key],
        cache: Cache,
        dependents: DependencyIndex,
        states: States,
        pass_interval: float,
        progress_interval: float = 0.0,
    ) -> None:
        """Make a handler; the intervals are the times between two passes over one Workspace under load, in seconds.

        `progress_interval` is that for events which can only be reported as progress.
        """
        self._queue = queue
        self._cache = cache
        self._dependents = dependents
        self._states = states
        self._pass_interval = pass_interval
        self._progress_interval = max(pass_interval, progress_interval)

    def handle(self, watched: WatchedKind[RecordT], record: RecordT) -> None:
        """Enqueue what an event of a record concerns."""
        if record.meta.unreadable and watched.resource is not WORKSPACE:  # a Workspace says so in its status
            logger.warning("%s cannot be read: %s", record.meta.ref, record.meta.unreadable)
        is_progress = self._cache.is_starting(watched, record)
        for key in self._concerned(watched, record):
            self._enqueue(key, is_progress=is_progress)

    def _concerned(self, watched: WatchedKind[RecordT], record: RecordT) -> Iterable[Key]:
        match watched.enqueues:
            case Enqueues.OWNER | Enqueues.OWNER_OF_DEPLOYMENT:
                owner = self._cache.owner_of(watched, record)
                if owner is None:
                    return ()
                return (owner, *self._siblings(owner)) if watched in _SERVING else (owner,)
            case Enqueues.OWNER_OF_DEPLOYED:
                owner = self._cache.owner_of(watched, record)
                return (owner,) if owner is not None and not self._cache.is_being_deployed(owner) else ()
            case Enqueues.DEPENDENTS:
                return self._dependents.dependents_of(record.meta.ref)
            case Enqueues.ALL:
                return self._cache.workspaces.keys()
            case Enqueues.ALL_OF_GATEWAY:
                gateway = watched.owner_key(record)
                is_known = gateway is not None and self._cache.gateways.get(gateway) is not None
                return self._cache.workspaces.keys() if is_known else ()

    def _siblings(self, owner: Key) -> tuple[Key, ...]:
        """Return the Workspaces whose own route sends requests to the pool of `owner` as well."""
        return self._dependents.dependents_of(ObjectRef(WORKSPACE.kind, *owner))

    def enqueue(self, key: Key) -> None:
        """Make a pass over `key` due, at once or after its delay; what users want comes before what follows from it."""
        self._enqueue(key, is_progress=False)

    def _enqueue(self, key: Key, *, is_progress: bool) -> None:
        if not self._states.has_seen(self._cache.workspaces.get(key)):
            self._queue.add(key, ahead=True)
            return
        is_progress = is_progress and self._states.load.is_in_progress(key)
        interval = self._progress_interval if is_progress else self._pass_interval
        delay = self._states.delay(key, asyncio.get_running_loop().time(), interval)
        if delay > 0:
            self._queue.add_after(key, delay)
        else:
            self._queue.add(key)

    def enqueue_all(self) -> None:
        """Make a pass over every Workspace due."""
        keys = self._cache.workspaces.keys()
        for key in keys:
            self.enqueue(key)
