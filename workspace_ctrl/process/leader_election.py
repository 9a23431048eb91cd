"""One replica: it reconciles while it is the leader; without leader election, always.

A replica that loses its Lease becomes a standby instead of exiting: all its work is in tasks that can be cancelled. During a short outage
of the API server every leader loses its Lease, and pods that exit because of it would get into CrashLoopBackOff.
"""

import asyncio
import logging
from typing import Final

from workspace_ctrl.cache.discovery import find_namespaced_only, find_unavailable
from workspace_ctrl.cache.watches import OCI_REPOSITORY
from workspace_ctrl.controller.body_routers.router_discovery import needs_body_routers
from workspace_ctrl.controller.manager import Manager, Visibility
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.lease import LeaseLock
from workspace_ctrl.kube.tasks import first_completed
from workspace_ctrl.load.load_reader import LoadReader
from workspace_ctrl.process.health import Readiness
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.observer_interface import Observer

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 2.0
"""Pause between attempts to find out what can be watched: fixed, because a process that cannot start has nothing else to do."""


class LeaderElectedRunner:
    """Runs a `Manager`, a new one for each time that this process leads."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        lock: LeaseLock | None = None,
        observer: Observer | None = None,
        loads: LoadReader | None = None,
    ) -> None:
        self._loads = loads
        self._observer = observer
        self._client = client
        self._settings = settings
        self._lock = lock
        self._manager: Manager | None = None
        self._stopping = False

    def readiness(self) -> Readiness:
        """Return the readiness of this replica: it reconciles with filled caches, or it is a standby."""
        if self._stopping:
            return Readiness(ready=False, text="stopping")
        if self._lock is not None and not self._lock.is_held:
            holder = self._lock.holder or "nobody"
            return Readiness(ready=True, text=f"standby: {self._lock.title} is held by {holder}")
        if self._manager is None:
            return Readiness(ready=False, text="starting")
        if waiting := self._manager.unsynced_kinds:
            return Readiness(ready=False, text=f"waiting for cache sync: {', '.join(waiting)}")
        leading = f", leader of {self._lock.title}" if self._lock is not None else ""
        return Readiness(ready=True, text=f"synced{leading}")

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            ExceptionGroup: a task ended by itself, which is a defect.
        """
        stopping = asyncio.create_task(self._note(stop), name="stop")
        try:
            if self._lock is None:
                await self._work(stop)
            else:
                await self._take_turns(self._lock, stop)
        finally:
            stopping.cancel()

    async def _note(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True

    async def _take_turns(self, lock: LeaseLock, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await first_completed(lock.acquire, stop.wait)
            if lock.is_held:
                logger.info("became leader of %s as %s", lock.title, lock.identity)
                try:
                    await first_completed(lambda: self._work(stop), lock.hold)
                finally:
                    await lock.release()
                if not stop.is_set():
                    logger.warning("lost %s; stopped all reconciliations, now standby", lock.title)

    async def _work(self, stop: asyncio.Event) -> None:
        """Reconcile until `stop` is set and the passes in progress have finished."""
        try:
            await first_completed(self._set_up, stop.wait)
            if self._manager is not None:
                await self._manager.run(stop)
        finally:
            self._manager = None

    async def _set_up(self) -> None:
        while self._manager is None:
            try:
                namespaced_only = await find_namespaced_only(self._client, self._settings.scope)
                is_off = not self._settings.plan.gateway_extension
                unavailable = await find_unavailable(self._client, self._settings.scope) if is_off else frozenset()
                body_routers = OCI_REPOSITORY.kind not in unavailable and await needs_body_routers(self._client, self._settings)
            except ApiError as error:
                logger.warning("%s; retrying", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                visibility = Visibility(namespaced_only, unavailable, body_routers)
                self._manager = Manager(self._client, self._settings, visibility, self._observer, self._loads)
