"""kopf as the process shell: signals, login, start-up, clean-up and liveness.

kopf's handlers stay out of the data path: all kinds, Workspaces included, come through our informers, because kopf's watches never report
a deletion that happened while they were broken, and end the process when a CRD is missing (docs/architecture.md).
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import kopf
from prometheus_client import Counter, start_http_server

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.controller.controller import Controller
from workspace_ctrl.controller.settings import Settings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection, open_connection

logger = logging.getLogger(__name__)

_REQUESTS = Counter("workspace_ctrl_api_requests", "Requests to the API server.", ["verb", "resource", "code"])


class _EndlessBackoff:
    """Delays between kopf's own requests: short at first, never ending, so that an absent API server never ends the process."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.2
        while True:
            yield delay
            delay = min(delay * 2, 10.0)


class Shell:
    """The process around one `Controller`."""

    def __init__(self, configuration: Any, settings: Settings) -> None:  # noqa: ANN401
        self._configuration = configuration
        self._settings = settings
        self._connection: Connection | None = None
        self._stop = asyncio.Event()
        self._controller: Controller | None = None
        self._running: asyncio.Task[None] | None = None

    def registry(self) -> kopf.OperatorRegistry:
        """Return the handlers by which kopf runs the shell."""
        registry = kopf.OperatorRegistry()
        kopf.on.startup(registry=registry)(self.start)
        kopf.on.login(registry=registry)(self.log_in)
        kopf.on.cleanup(registry=registry)(self.stop)
        kopf.on.probe(id="synced", registry=registry)(self.probe)
        return registry

    async def start(self, settings: kopf.OperatorSettings, **_: object) -> None:
        """Start the controller."""
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.networking.error_backoffs = _EndlessBackoff()
        self._connection = open_connection(self._configuration)
        client = Client(self._connection, FIELD_MANAGER, _count)
        self._controller = Controller(client, self._settings)
        self._running = asyncio.create_task(self._controller.run(self._stop), name="controller")
        self._running.add_done_callback(self._ended)

    async def log_in(self, **_: object) -> kopf.AiohttpSession:
        """Give kopf our own session."""
        connection = self._connection or open_connection(self._configuration)
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.session)

    async def stop(self, **_: object) -> None:
        """Stop the controller; passes under way finish."""
        self._stop.set()
        if self._running is not None:
            await self._running
        if self._connection is not None:
            await self._connection.close()
        logger.info("stopped")

    async def probe(self, **_: object) -> bool:
        """Tell the liveness endpoint whether the caches are filled."""
        return self._controller is not None and self._controller.is_synced

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._stop.is_set() or task.cancelled():
            return
        # A controller that stands still must not look alive: end the process, loudly, and let the kubelet start it anew.
        logger.critical("the controller ended by itself", exc_info=task.exception())
        raise SystemExit(1)


def run(configuration: Any, settings: Settings, *, liveness: str | None, metrics_port: int) -> None:  # noqa: ANN401
    """Run the controller until a signal ends it."""
    if metrics_port:
        start_http_server(metrics_port)
    asyncio.run(_serve(configuration, settings, liveness))


async def _serve(configuration: Any, settings: Settings, liveness: str | None) -> None:  # noqa: ANN401
    shell = Shell(configuration, settings)
    await kopf.operator(registry=shell.registry(), clusterwide=True, standalone=True, liveness_endpoint=liveness)


def _count(verb: str, plural: str, status: int) -> None:
    _REQUESTS.labels(verb, plural, str(status)).inc()
