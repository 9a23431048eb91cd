"""The workers of a process: each takes a key out of the work queue, makes a pass over its Workspace, and returns the key."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from workspace_ctrl.kube.errors import ApiError, NamespaceTerminatingError
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.observer_interface import Observer, Result

logger = logging.getLogger(__name__)


class Workers:
    """Makes passes over the Workspaces in a work queue."""

    def __init__(
        self, queue: WorkQueue[Key], reconcile: Callable[[Key], Awaitable[float | None]], settings: Settings, observer: Observer
    ) -> None:
        """Make it; `reconcile` makes one pass and returns the seconds until another one is due, or None."""
        self._queue = queue
        self._reconcile = reconcile
        self._settings = settings
        self._observer = observer
        self._stopping = False

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start the workers in `group` and return their tasks, which run until they are cancelled."""
        return [group.create_task(self._work(), name=f"worker {number}") for number in range(self._settings.workers)]

    async def drain(self) -> None:
        """Begin no further pass, and wait for those under way, but no longer than the settings allow."""
        self._stopping = True
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
            again = await self._reconcile(key)
        except NamespaceTerminatingError as error:
            logger.debug("%s/%s: %s", *key, error)  # it is deleted as well in a moment
            self._queue.add_after(key, self._settings.refusal_interval)
        except ApiError as error:
            result, delay = Result.ERROR, self._queue.retry(key, error.retry_after)
            logger.warning("%s/%s: %s; retrying in %.1f s", *key, error, delay)
        except Exception:  # the one broad net: a defect in one pass must not end the others
            result, delay = Result.PANIC, self._queue.retry(key)
            logger.exception("%s/%s: unexpected error; retrying in %.1f s", *key, delay)
        else:
            self._queue.forget(key)
            if again is not None:
                result = Result.REQUEUE_AFTER
                self._queue.add_after(key, again)
        self._observer.pass_ended(result, asyncio.get_running_loop().time() - began)
