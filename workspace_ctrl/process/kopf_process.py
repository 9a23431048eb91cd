"""Runs the process with kopf: login, order of start-up and clean-up.

kopf watches nothing: all kinds, Workspaces included, come through our own informers, because kopf's watches do not report deletions that
happened while they were broken, and end the process when a CRD is missing (docs/architecture.md). Signals are handled here and passed to
kopf as its stop flag, once it has started: kopf's own handlers fail on a second signal, and a stop during its start skips the clean-up.
"""

import asyncio
import logging
import signal
import socket
import uuid
from contextlib import suppress
from typing import Any, Final

import aiohttp
import kopf

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.catalog.preload import preload
from workspace_ctrl.kube.access.access import Access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection, open_connection
from workspace_ctrl.kube.lease import LeaseLock
from workspace_ctrl.load.known_pickers import KnownPickers
from workspace_ctrl.load.load_reader import LoadReader
from workspace_ctrl.process import python_garbage_collection
from workspace_ctrl.process.admission import Admission, kopf_insights
from workspace_ctrl.process.bounded_server import PortError
from workspace_ctrl.process.health import serve_health
from workspace_ctrl.process.leader_election import LeaderElectedRunner
from workspace_ctrl.process.load_server import serve_loads
from workspace_ctrl.process.metrics_server import MetricsPage, serve_metrics
from workspace_ctrl.process.stop_signals import STOP_SIGNALS
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_IDENTITY: Final[Any] = FIELD_MANAGER
"""Otherwise kopf looks up the user's name, which the user id of a container often does not have."""

_QUESTION_SECONDS: Final = 1.0
"""Longest time that a stop waits for kopf's first request, which kopf sends at once; a version of kopf may send none."""


class _Unanswered:
    """Client middleware that keeps the requests of kopf unanswered; none of them is sent.

    At its start kopf requests the kinds of the API server; the part of the result that admission needs is given to it (`kopf_insights`). If
    kopf is stopped during these requests, it waits five seconds for them, closes their session, and ends with the resulting error.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        """Set once kopf has sent a request; if it is stopped before, it waits for that request."""
        self._ended = asyncio.Event()

    async def __call__(self, _request: aiohttp.ClientRequest, _handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        self.asked.set()
        await self._ended.wait()
        raise asyncio.CancelledError

    def end(self) -> None:
        """End the pending requests with a cancellation, which kopf treats as a normal end."""
        self._ended.set()


class KopfProcess:
    """The process around one `LeaderElectedRunner`."""

    def __init__(self, access: Access, settings: Settings, health_port: int, metrics: Metrics) -> None:
        self._metrics = metrics
        self._access = access
        self._settings = settings
        self._health_port = health_port
        self._stop = asyncio.Event()
        self._kopf_started = asyncio.Event()
        self._kopf_stop = asyncio.Event()
        self._kopf_requests = _Unanswered()
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self.failed = False
        """Whether the controller ended by itself."""

    async def serve(self) -> None:
        """Run until a signal arrives or the controller ends."""
        self._take_signals()
        logger.info("starting")
        self._connection = open_connection(self._access)
        handing_over = asyncio.create_task(self._hand_over(), name="stop")
        ours = asyncio.all_tasks()
        try:
            registry, settings = self._registry(), _kopf_settings()
            if self._settings.admission is not None:
                client = Client(self._connection, FIELD_MANAGER, self._metrics.requested)
                Admission(self._settings.admission, self._settings.plan, client).register(registry, settings)
            tasks = await kopf.spawn_tasks(
                registry=registry,
                settings=settings,
                insights=kopf_insights(),
                clusterwide=True,
                standalone=True,
                identity=_IDENTITY,
                ready_flag=self._kopf_started,
                stop_flag=self._kopf_stop,
            )
            self._take_signals()  # again, because kopf has just installed its handlers
            await kopf.run_tasks(tasks, ignored=ours)
        finally:
            handing_over.cancel()
            await self._connection.close()
            self._ignore_signals()
        logger.info("stopped")

    def stop(self, number: signal.Signals | None = None) -> None:
        """Begin to stop, because of signal `number` or of an error; further calls have no effect."""
        if not self._stop.is_set():
            logger.info("stopping because of %s", number.name if number is not None else "the error above")
        self._stop.set()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self.stop, number)

    @staticmethod
    def _ignore_signals() -> None:
        """Ignore signals from now on: a signal while the interpreter exits would change the exit code."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.startup(registry=registry)(self._start)
        kopf.on.login(registry=registry)(self._log_in)
        kopf.on.cleanup(registry=registry)(self._clean_up)
        return registry

    async def _hand_over(self) -> None:
        await self._kopf_started.wait()
        await self._stop.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_QUESTION_SECONDS):
                await self._kopf_requests.asked.wait()
        self._kopf_stop.set()

    async def _start(self, **_: object) -> None:
        """Start the controller."""
        self._running = asyncio.create_task(self._run(self._connected()), name="controller")
        self._running.add_done_callback(self._ended)

    async def _log_in(self, **_: object) -> kopf.AiohttpSession:
        """Return a separate session for kopf, which kopf closes."""
        session = aiohttp.ClientSession(middlewares=[self._kopf_requests])
        return kopf.AiohttpSession(server=self._connected().server, aiohttp_session=session)

    async def _clean_up(self, **_: object) -> None:
        """Wait until the passes in progress have finished and the Lease is released."""
        if self._running is not None:
            await asyncio.wait([self._running])
        self._kopf_requests.end()

    async def _run(self, connection: Connection) -> None:
        lock = _lock(connection, self._settings, self._metrics)
        client = Client(connection, FIELD_MANAGER, self._metrics.requested, fence=lock.check if lock is not None else None)
        loads = LoadReader()
        replica = LeaderElectedRunner(client, self._settings, lock, self._metrics, loads)
        working = asyncio.create_task(replica.run(self._stop), name="replica")
        measuring = asyncio.create_task(self._metrics.measure_lag(), name="lag")
        pickers = KnownPickers(client, self._settings.scope.namespaces)
        beside = [measuring]
        if self._settings.load_port:
            self._metrics.follow_held(lambda: loads.held)
            beside.append(asyncio.create_task(pickers.run(), name="known endpoint pickers"))
        try:
            async with (
                serve_loads(self._settings.load_port, loads, pickers.has),
                serve_health(self._health_port, working, replica.readiness),
                serve_metrics(self._settings.metrics, MetricsPage(), Client(connection, FIELD_MANAGER, self._metrics.requested)),
            ):
                await working
        finally:
            for task in (working, *beside):
                task.cancel()
            await asyncio.gather(working, *beside, return_exceptions=True)  # the connection is closed next

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and self._stop.is_set():
            return
        # Without the controller the process would only look alive: exit, so that the kubelet restarts the container.
        self.failed = True
        if isinstance(error, PortError):
            logger.critical("%s", error)
        else:
            logger.critical("the controller stopped unexpectedly", exc_info=error)
        self.stop()

    def _connected(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("serve() opens the connection before kopf runs a handler")
        return self._connection


def run(access: Access, settings: Settings, *, health_port: int) -> None:
    """Run the controller until a signal ends it; port 0 disables a server.

    Raises:
        SystemExit: the controller ended by itself; exit code 1.
    """
    preload()
    python_garbage_collection.settle()
    shell = asyncio.run(_serve(access, settings, health_port))
    if shell.failed:
        raise SystemExit(1)


async def _serve(access: Access, settings: Settings, health_port: int) -> KopfProcess:
    shell = KopfProcess(access, settings, health_port, Metrics())
    await shell.serve()
    return shell


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = None  # they stay unanswered
    return settings


def _lock(connection: Connection, settings: Settings, metrics: Metrics) -> LeaseLock | None:
    election = settings.election
    if election is None:
        return None
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    name = settings.scope.lease_name(election.name)
    client = Client(connection, FIELD_MANAGER, metrics.requested)
    return LeaseLock(client, namespace=election.namespace, name=name, identity=identity)
