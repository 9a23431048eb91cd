"""The stages of a benchmark on a cluster in the plane form: bare client, Flux alone, the controller, idle, restart."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2e import policies, workspaces
from e2e.bench.broken import measure_broken
from e2e.bench.client import BareClient, connect
from e2e.bench.errors import BenchmarkError
from e2e.bench.figures import Figures, Restart
from e2e.bench.fleet import GATEWAY_NAMESPACE, Fleet, chart_of, is_true, namespace
from e2e.bench.hostile import measure_hostile
from e2e.bench.machine import machine, today
from e2e.bench.pod_controller import PodController
from e2e.bench.profiled import ProfiledController
from e2e.bench.stages import stage
from e2e.bench.statistics import (
    FIRST_WAVE,
    Call,
    bucket_quantile,
    counted,
    created,
    first_wave,
    parse_call,
    per_workspace,
    spread,
    worth_counting,
)
from e2e.bench.usage import Usage, lag_buckets, quiet, usage
from e2e.cluster import Cluster
from e2e.cluster.settings import free_port
from e2e.controller import ACTOR, ControllerProcess
from workspace_ctrl.cache.watches import BY_KIND, HELM_RELEASE, WORKSPACE
from workspace_ctrl.kube.store import Key

_IDLE_SECONDS = 60.0
_USER = "user"
_READS = ("list", "get")


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure."""

    workspaces: int
    broken: int = 0
    hostile: int = 0
    profile: Path | None = None
    """File to write samples of the controller's stacks to."""
    policies: bool = True
    """Whether the API server enforces the chart's admission policies, as it does where the chart is installed."""

    @property
    def limit(self) -> float:
        """Seconds that a stage may take; generous, as it only ends what hangs."""
        return 120 + 2.0 * self.workspaces


class Benchmark:
    """One run on one cluster."""

    def __init__(self, cluster: Cluster, client: BareClient, options: Options) -> None:
        self._cluster = cluster
        self._client = client
        self._options = options
        self._chart = chart_of(cluster.chart_source_url())
        self._metrics_port = free_port()

    async def run(self) -> Figures:
        """Go through all stages.

        Raises:
            BenchmarkError: one of them did not come to its end.
        """
        await self._prepare()
        bare = await self._bare_client()
        flux = await self._flux_alone()
        figures = await self._controller(bare, flux)
        if self._options.broken:
            figures = replace(figures, broken=await measure_broken(self._cluster, self._client, self._options.broken))
        if self._options.hostile:
            figures = replace(figures, hostile=await measure_hostile(self._cluster, self._client, self._options.hostile))
        return figures

    async def _prepare(self) -> None:
        async with stage("prepare the cluster", limit=120):
            workspaces.install_crd(self._cluster)
            if self._options.policies:
                policies.install(self._cluster)
            _enlarge_node(self._cluster, self._options.workspaces)
            await self._client.apply(namespace(GATEWAY_NAMESPACE))
            workspaces.apply(self._cluster, GATEWAY_NAMESPACE, *workspaces.played_gateway())

    async def _bare_client(self) -> float:
        """Return the seconds that a client without any logic needs for the objects of the first wave."""
        fleet = Fleet("bare", self._options.workspaces)
        wave = [manifest for manifest in fleet.objects(self._chart) if BY_KIND[manifest["kind"]].resource.plural in FIRST_WAVE]
        async with stage("bare client", limit=self._options.limit, total=fleet.count):
            await self._client.apply_all(map(namespace, fleet.namespaces))
            seconds = await self._client.apply_all(wave)
        await self._remove(fleet)
        return seconds

    async def _flux_alone(self) -> float:
        """Return the seconds from one kubectl apply of all objects until every HelmRelease is Ready."""
        fleet = Fleet("flux", self._options.workspaces)
        releases = {(space, f"{name}-inferencepool") for space, name in fleet.keys}
        manifests = "\n---\n".join(map(json.dumps, fleet.objects(self._chart)))
        async with stage("Flux alone", limit=self._options.limit, total=fleet.count) as current:
            await self._client.apply_all(map(namespace, fleet.namespaces))
            started = time.time()
            async with asyncio.TaskGroup() as group:
                seen = group.create_task(self._client.first_seen(HELM_RELEASE, releases, _is_ready, current.done))
                group.create_task(_kubectl_apply(self._cluster, manifests))
        await self._remove(fleet, releases)
        return max(seen.result().values()) - started

    async def _remove(self, fleet: Fleet, releases: Iterable[Key] = ()) -> None:
        """Remove the namespaces of a fleet; its releases are suspended first, as Flux then does not uninstall each one."""
        async with stage(f"remove the namespaces {fleet.prefix}-*", limit=self._options.limit):
            async with asyncio.TaskGroup() as group:
                for key in releases:
                    group.create_task(self._client.merge(HELM_RELEASE, key, {"spec": {"suspend": True}}))
            command = [*self._cluster.kubectl_command("admin"), "delete", "namespace", *fleet.namespaces, "--wait"]
            await _succeed(command)

    async def _controller(self, bare: float, flux: float) -> Figures:
        fleet = Fleet("bench", self._options.workspaces)
        async with AsyncExitStack() as stack:
            controller = stack.enter_context(self._start(self._options.profile))
            before, lag_before, ready = usage(controller.pid), await lag_buckets(self._metrics_port), await self._create(fleet)
            after, lag_after = usage(controller.pid), await lag_buckets(self._metrics_port)
            begun, calls = created(self._calls(_USER)), self._calls(ACTOR)
            idle = await self._idle(controller)
        restart = await self._restart()
        wave = first_wave(fleet.keys, calls)
        if len(wave) < fleet.count or len(begun) < fleet.count:
            raise BenchmarkError(f"the audit log tells of {len(begun)} creations and {len(wave)} first waves of {fleet.count}")
        first, last = min(begun.values()), max(ready.values())
        until_ready = [call for call in calls if call.namespace in fleet.namespaces and call.at <= last]
        return Figures(
            workspaces=fleet.count,
            namespaces=len(fleet.namespaces),
            date=today(),
            machine=machine(),
            bare_seconds=bare,
            flux_seconds=flux,
            create_seconds=max(begun.values()) - first,
            first_wave_seconds=max(wave.values()) - first,
            first_wave=spread(wave[key] - begun[key] for key in fleet.keys),
            ready_seconds=last - first,
            ready=spread(ready[key] - begun[key] for key in fleet.keys),
            calls=per_workspace(until_ready, fleet.count),
            cpu_ms=_cpu_ms(before, after, fleet.count),
            rss_mib=after.rss_mib,
            peak_mib=after.peak_mib,
            lag_p99_ms=_lag(lag_before, lag_after),
            idle_calls=idle,
            restart=restart,
        )

    async def _create(self, fleet: Fleet) -> dict[Key, float]:
        """Create all Workspaces at once and return when each was seen to be GatewayReady."""
        async with stage("the controller: create to ready", limit=self._options.limit, total=fleet.count) as current:
            await self._client.apply_all(map(namespace, fleet.namespaces))
            async with asyncio.TaskGroup() as group:
                seen = group.create_task(self._client.first_seen(WORKSPACE, set(fleet.keys), _is_gateway_ready, current.done))
                group.create_task(self._client.apply_all(fleet.workspaces()))
        return seen.result()

    async def _idle(self, controller: ControllerProcess) -> dict[str, int]:
        """Return the calls of a minute in which nothing happens."""
        async with stage("idle for a minute", limit=_IDLE_SECONDS + self._options.limit):
            await quiet(controller.pid)
            before = len(self._calls(ACTOR))
            await asyncio.sleep(_IDLE_SECONDS)
            return counted(self._calls(ACTOR)[before:])

    async def _restart(self) -> Restart:
        async with stage("restart", limit=self._options.limit):
            before, started = len(self._calls(ACTOR)), time.monotonic()
            with self._start() as controller:
                synced = time.monotonic() - started
                quiet_since = await quiet(controller.pid)
                rss = usage(controller.pid).rss_mib
                calls = [call for call in self._calls(ACTOR)[before:] if worth_counting(call)]
            return Restart(
                synced_seconds=synced,
                quiet_seconds=max(synced, quiet_since - started),
                calls=counted(calls),
                writes=sum(call.verb not in _READS for call in calls),
                rss_mib=rss,
            )

    def _start(self, profile: Path | None = None) -> ControllerProcess:
        port = ("--metrics-port", str(self._metrics_port))
        return ProfiledController(self._cluster, profile, *port) if profile else PodController(self._cluster, *port)

    def _calls(self, actor: str) -> list[Call]:
        return [parse_call(event) for event in self._cluster.audit_events(actor)]


def benchmark(cluster: Cluster, options: Options) -> Figures:
    """Run a benchmark on a cluster that has nothing on it yet.

    Raises:
        BenchmarkError: a stage did not come to its end.
    """
    kubeconfig = cluster.kubeconfig_for(_USER).read_text()

    async def run() -> Figures:
        async with connect(kubeconfig) as client:
            return await Benchmark(cluster, client, options).run()

    return asyncio.run(run())


def _is_ready(item: Mapping[str, Any]) -> bool:
    return is_true(item, "Ready")


def _is_gateway_ready(item: Mapping[str, Any]) -> bool:
    return is_true(item, "GatewayReady")


def _cpu_ms(before: Usage, after: Usage, count: int) -> float:
    return (after.cpu_seconds - before.cpu_seconds) * 1000 / count


def _lag(before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    bound = bucket_quantile({edge: count - before.get(edge, 0.0) for edge, count in after.items()}, 0.99)
    return None if bound is None else bound * 1000


def _enlarge_node(cluster: Cluster, count: int) -> None:
    """Give the played node room for all model servers and endpoint pickers at once."""
    room = {"nvidia.com/gpu": str(count + 100), "pods": str(2 * count + 500)}
    patch = json.dumps({"status": {"capacity": room, "allocatable": room}})
    cluster.kubectl("patch", "node", cluster.gpu_node_name, "--subresource=status", "--type=merge", "--patch", patch)


async def _kubectl_apply(cluster: Cluster, manifests: str) -> None:
    command = [*cluster.kubectl_command(_USER), "apply", "--server-side", "--filename", "-"]
    await _succeed(command, manifests)


async def _succeed(command: list[str], text: str | None = None) -> None:
    """Run a command to its end; it ends with this process."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=asyncio.subprocess.DEVNULL, stderr=pipe)
    try:
        _, errors = await process.communicate(text.encode() if text is not None else b"")
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        raise BenchmarkError(f"{' '.join(command[-4:])}: {errors.decode(errors='replace').strip()[:500]}")
