"""Runs the process that answers the list of models: informers and two servers; it writes nothing."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.kube.access.access import Access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.tasks import first_completed
from workspace_ctrl.model_index.model_index import ModelIndex
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.process.bounded_server import PortError
from workspace_ctrl.process.health import Readiness, serve_health
from workspace_ctrl.process.model_index_server import serve_model_index
from workspace_ctrl.process.stop_signals import STOP_SIGNALS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexPorts:
    """The ports of the process."""

    index: int
    health: int
    """0 if it is disabled."""


def run_model_index(access: Access, settings: PlanSettings, ports: IndexPorts) -> None:
    """Serve the list until a signal ends it.

    Raises:
        SystemExit: a port cannot be used; exit code 1.
    """
    try:
        asyncio.run(_serve(access, settings, ports))
    except PortError as error:
        logger.critical("%s", error)
        raise SystemExit(1) from None


async def _serve(access: Access, settings: PlanSettings, ports: IndexPorts) -> None:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connection = open_connection(access)
    try:
        index = ModelIndex(Client(connection, FIELD_MANAGER), settings.model_index, companion=settings.is_companion)
        await first_completed(lambda: _watch(index, ports), stop.wait)
    finally:
        await connection.close()
    logger.info("stopped")


async def _watch(index: ModelIndex, ports: IndexPorts) -> None:
    """Fill the index, and serve it from when it is complete, until cancelled."""
    watching = asyncio.create_task(_run_all(index), name="informers")
    try:
        async with AsyncExitStack() as servers:
            await servers.enter_async_context(serve_health(ports.health, watching, lambda: _readiness(index)))
            for informer in index.informers:
                await informer.wait_synced()
            await servers.enter_async_context(serve_model_index(ports.index, index))
            logger.info("serving the list of models on port %d", ports.index)
            await watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _run_all(index: ModelIndex) -> None:
    async with asyncio.TaskGroup() as group:
        for informer in index.informers:
            group.create_task(informer.run(), name=f"watch {informer.resource.plural}")


def _readiness(index: ModelIndex) -> Readiness:
    waiting = index.unsynced
    return Readiness(not waiting, f"cannot list yet: {', '.join(waiting)}" if waiting else "synced")
