"""Whether objects that a tenant makes to do harm hold up the Workspaces of others, before and after a restart."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from e2e import workspaces
from e2e.bench import fleet, hostile_fleet
from e2e.bench.client import BareClient
from e2e.bench.figures import Hostile, Start
from e2e.bench.stages import stage
from e2e.bench.statistics import bucket_quantile
from e2e.bench.usage import lag_buckets, usage
from e2e.cluster import Cluster
from e2e.cluster.settings import free_port
from e2e.controller import ControllerProcess
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.kube.store import Key

GOOD = 20
_SPACE = "good"
_AT_ONCE = 4
_LIMIT = 600.0
_LOOK_SECONDS = 0.5
_LOOK_AT_ALL_SECONDS = 5.0
"""The API server reads all of them for that, some hundred megabytes."""
_ALL_BUT_ONE_IN_A_THOUSAND = 0.999


async def measure_hostile(cluster: Cluster, client: BareClient, count: int) -> Hostile:
    """Return how long good Workspaces take to be ready alone, beside `count` hostile ones, and after a restart beside them.

    Beside them, the API server is slower for everybody: what it takes by itself is measured with a controller that does not see them.

    The controller holds a lease meanwhile; it would end, and with it the measurement, if it lost it.
    """
    for name in (_SPACE, hostile_fleet.NAMESPACE):
        await client.apply(fleet.namespace(name))
    with _controller(cluster, free_port()):
        alone = await _good(client, "alone")
    port = free_port()
    with _controller(cluster, port) as controller:
        async with asyncio.TaskGroup() as group:
            group.create_task(_harm(client, count))
            meanwhile = group.create_task(_good(client, "while hostile ones come"))
        beside = await _good(client, f"beside {count} hostile ones")
        first = await _start(controller, port, beside)
    port, started = free_port(), time.monotonic()
    with _controller(cluster, port) as controller:
        synced = time.monotonic() - started
        second = await _start(controller, port, await _good(client, "after a restart"))
        settled = await _good(client, "once more")
    with _controller(cluster, free_port(), "--namespace", _SPACE):
        unseen = await _good(client, "with a controller that reconciles no other namespace")
    return Hostile(count, GOOD, alone, meanwhile.result(), synced, first, second, settled, unseen)


def _controller(cluster: Cluster, port: int, *arguments: str) -> ControllerProcess:
    election = ("--leader-elect", "--leader-election-namespace", _SPACE)
    return ControllerProcess(cluster, "--metrics-port", str(port), *election, *arguments)


async def _start(controller: ControllerProcess, port: int, seconds: float) -> Start:
    lag = bucket_quantile(await lag_buckets(port), _ALL_BUT_ONE_IN_A_THOUSAND) or 0.0
    return Start(seconds, usage(controller.pid).peak_mib, lag)


async def send_all(client: BareClient, requests: Iterable[hostile_fleet.Request]) -> None:
    """Send the writes, a few at once: each is some megabytes."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def send(request: hostile_fleet.Request) -> None:
        try:
            await client.send(request.method, request.path, request.body, request.content_type, request.parameters)
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for request in requests:
            await free.acquire()
            group.create_task(send(request))


async def _harm(client: BareClient, count: int) -> None:
    """Create the hostile objects and wait until each hostile Workspace has been told what is wrong with it."""
    async with stage("hostile Workspaces", limit=_LIMIT, total=count) as current:
        await send_all(client, hostile_fleet.requests(count))
        told = 0
        while told < count:
            await asyncio.sleep(_LOOK_AT_ALL_SECONDS)
            told = sum(cell is not None for cell in await client.column(WORKSPACE, hostile_fleet.NAMESPACE, "Reason"))
            current.done(told)


async def _good(client: BareClient, title: str) -> float:
    """Return the seconds until good Workspaces, created at once, are all ready; then remove them."""
    keys: set[Key] = {(_SPACE, f"good-{number:02}") for number in range(GOOD)}
    async with stage(f"good Workspaces {title}", limit=_LIMIT, total=GOOD):
        started = time.monotonic()
        await client.apply_all(good(key) for key in keys)
        await _wait(client, keys)
        seconds = time.monotonic() - started
        for key in keys:
            await client.delete(WORKSPACE, key)
        while any([await client.exists(WORKSPACE, key) for key in keys]):  # noqa: ASYNC110 - the API server is asked
            await asyncio.sleep(_LOOK_SECONDS)
    return seconds


async def _wait(client: BareClient, keys: set[Key]) -> None:
    """Wait until all are ready; they are asked for one by one, as a list would hold the hostile ones of other namespaces, too."""
    waiting = set(keys)
    while waiting:
        for key in sorted(waiting):
            if fleet.is_true(await client.get(WORKSPACE, key), "Ready"):
                waiting.discard(key)
        await asyncio.sleep(_LOOK_SECONDS)


def good(key: Key) -> dict[str, Any]:
    """Return a Workspace that is ready as soon as its pods are: neither Flux nor a Gateway has a part in it."""
    container = {"name": "server", "image": "example/server:1"}
    manifest = workspaces.workspace(
        key[1], inference={"template": {"spec": {"containers": [container]}}}, gateway={"enabled": False}
    )
    manifest["metadata"]["namespace"] = key[0]
    return manifest
