"""From an event of a watched kind to the Workspaces in the work queue."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.watches import (
    INFERENCE_POOLS,
    INFERENCE_SETS,
    PODS,
    WORKSPACES,
    Enqueues,
    RecordT,
    WatchedKind,
)
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


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
        if record.meta.unreadable and watched not in (WORKSPACES, INFERENCE_SETS):  # those say so in their status
            logger.warning("%s cannot be read: %s", record.meta.ref, record.meta.unreadable)
        is_progress = self._cache.is_starting(watched, record)
        for key in self._concerned(watched, record):
            self._enqueue(key, is_progress=is_progress)

    def _concerned(self, watched: WatchedKind[RecordT], record: RecordT) -> Iterable[Key]:
        match watched.enqueues:
            case Enqueues.OWNER | Enqueues.OWNER_OF_DEPLOYMENT:
                owner = self._cache.owner_of(watched, record)
                sharers = self._sharers(record) if isinstance(record, HTTPRoute) else ()
                if owner is None:
                    return sharers
                pools = self._pools(watched, record, owner)
                return (owner, *sharers, *self._siblings(pools), *self._fellows(watched, record, owner))
            case Enqueues.OWNER_OF_DEPLOYED:
                owner = self._cache.owner_of(watched, record)
                return (owner,) if owner is not None and not self._cache.is_being_deployed(owner) else ()
            case Enqueues.DEPENDENTS:
                return self._dependents.dependents_of(record.meta.ref)
            case Enqueues.ALL:
                return self._cache.holder_keys()
            case Enqueues.ALL_OF_GATEWAY:
                gateway = watched.owner_key(record)
                is_known = gateway is not None and self._cache.gateways.get(gateway) is not None
                return self._cache.holder_keys() if is_known else ()

    def _pools(self, watched: WatchedKind[RecordT], record: RecordT, owner: Key) -> Iterable[Meta]:
        """Return the InferencePools of `owner` whose endpoints an event may have changed."""
        if watched is INFERENCE_POOLS:
            return (record.meta,)
        return (pool.meta for pool in self._cache.inference_pools.owned_by(owner)) if watched is PODS else ()

    def _siblings(self, pools: Iterable[Meta]) -> Iterator[Key]:
        """Yield the Workspaces that reference a route with one of `pools` beside their own."""
        for pool in pools:
            yield from self._dependents.dependents_of(pool.ref)

    def _fellows(self, watched: WatchedKind[RecordT], record: RecordT, owner: Key) -> Iterator[Key]:
        """Yield the other members of the group of `owner`, if an event may change the group's route."""
        concerned = record if isinstance(record, WorkspaceRecord) else self._cache.holder(owner)
        if watched.concerns_group and concerned is not None and concerned.group:
            yield from (key for key in self._members(concerned) if key != owner)

    def _sharers(self, route: HTTPRoute) -> tuple[Key, ...]:
        """Return the members of the group of a route that no Workspace controls.

        They are found by its name as well, because labels may have been removed or changed.
        """
        if route.meta.controller_uid:
            return ()
        groups = dict.fromkeys(filter(None, (route.group, route.ref.name)))
        return tuple(member.key for group in groups for member in self._cache.members_of((route.ref.namespace, group)))

    def _members(self, record: object) -> tuple[Key, ...]:
        """Return the members of the group of a Workspace, or of a group's route."""
        if not isinstance(record, WorkspaceRecord | HTTPRoute) or not record.group:
            return ()
        return tuple(member.key for member in self._cache.members_of((record.meta.ref.namespace, record.group)))

    def written(self, records: Iterable[object], by: Key) -> None:
        """Make a pass over the members of a group due whose route was written by a pass over `by`, which knows of it.

        There is no event of what this process has written itself.
        """
        for record in records:
            for member in self._members(record) if isinstance(record, HTTPRoute) else ():
                if member != by:
                    self.enqueue(member)

    def enqueue(self, key: Key) -> None:
        """Make a pass over `key` due, at once or after its delay; what users want comes before what follows from it."""
        self._enqueue(key, is_progress=False)

    def _enqueue(self, key: Key, *, is_progress: bool) -> None:
        if not self._states.has_seen(self._cache.holder(key)):
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
        keys = self._cache.holder_keys()
        for key in keys:
            self.enqueue(key)
