"""Whether Workspaces that cannot be ready hold up one that can."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from typing import Any

from e2e.bench import fleet
from e2e.bench.client import BareClient
from e2e.bench.figures import Broken
from e2e.bench.stages import stage
from e2e.bench.usage import quiet
from e2e.cluster import Cluster
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from workspace_ctrl.cache.watches import WORKSPACE

_ROUNDS = 5
_SPACE = "good"
_ROUND_LIMIT = 60.0
_LOOK_SECONDS = 0.2


async def measure_broken(cluster: Cluster, client: BareClient, count: int) -> Broken:
    """Return how long a good Workspace takes to be ready, alone and beside `count` broken ones."""
    await client.apply(fleet.namespace(_SPACE))
    with ControllerProcess(cluster) as controller:
        await _calm(controller)
        alone = await _median(client, "alone")
        await _break(cluster, client, count)
        beside = await _median(client, f"beside {count} broken ones")
    return Broken(count=count, alone_seconds=alone, beside_seconds=beside)


async def _calm(controller: ControllerProcess) -> None:
    async with stage("wait until the controller is quiet", limit=300):
        await quiet(controller.pid)


async def _break(cluster: Cluster, client: BareClient, count: int) -> None:
    """Create the broken Workspaces and wait until each one's status says that it is not ready."""
    pairs = list(fleet.broken(count))
    keys = {(manifest["metadata"]["namespace"], manifest["metadata"]["name"]) for manifest, _ in pairs}
    async with stage("broken Workspaces", limit=120, total=count) as current:
        surroundings = "\n---\n".join(map(json.dumps, fleet.broken_surroundings()))
        cluster.kubectl("apply", "-f", "-", input=surroundings)
        cluster.kubectl("wait", "resourcequota/none", "-n", fleet.QUOTA_NAMESPACE, "--for=jsonpath={.status.hard}", KUBECTL_TIMEOUT)
        await client.apply_all(before for _, before in pairs if before is not None)
        await client.apply_all(manifest for manifest, _ in pairs)
        await client.first_seen(WORKSPACE, keys, _is_broken, current.done)


def _is_broken(item: Mapping[str, Any]) -> bool:
    """Whether the status blames what was broken on purpose."""
    reasons = {entry["reason"] for entry in item.get("status", {}).get("conditions") or ()}
    return bool(reasons & {"Unschedulable", "DryRunFailed", "InstallFailed"})


async def _median(client: BareClient, title: str) -> float:
    async with stage(f"a good Workspace {title}", limit=_ROUND_LIMIT * _ROUNDS, total=_ROUNDS) as current:
        seconds = []
        for number in range(_ROUNDS):
            seconds.append(await _round(client, f"good-{number}"))
            current.done(number + 1)
    return statistics.median(seconds)


async def _round(client: BareClient, name: str) -> float:
    """Return the seconds from apply to ready; then remove the Workspace."""
    key = (_SPACE, name)
    started = time.time()
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(
            client.first_seen(WORKSPACE, {key}, lambda item: fleet.is_true(item, "GatewayReady"), lambda _count: None)
        )
        group.create_task(client.apply(fleet.workspace(key)))
    await client.delete(WORKSPACE, key)
    while await client.exists(WORKSPACE, key):  # noqa: ASYNC110 - the API server is asked
        await asyncio.sleep(_LOOK_SECONDS)
    return seen.result()[key] - started
