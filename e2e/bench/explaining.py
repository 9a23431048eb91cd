"""`python -m e2e.bench.explaining`: how long `workspace-ctrl explain` takes beside very many Workspaces, on a control plane of its own.

The objects are those of the plan, without their owner and with Flux suspended: no controller changes them meanwhile.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from e2e import workspaces
from e2e.bench.errors import BenchmarkError
from e2e.bench.machine import machine
from e2e.bench.stages import stage
from e2e.cluster import Form, LocalCluster, down, up
from workspace_ctrl.cache import watches
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview import preview

_NAMESPACE: Final = "many"
_IN_FLIGHT: Final = 24
_FILL_SECONDS: Final = 600.0
_RESOURCES: Final = {
    each.resource.kind: each.resource
    for each in (
        *(watches.WORKSPACES, watches.DEPLOYMENTS, watches.SERVICES, watches.OCI_REPOSITORIES),
        *(watches.HELM_RELEASES, watches.HTTP_ROUTES),
    )
}

_AT_REST: Final[Mapping[str, Mapping[str, Any]]] = {
    "Deployment": {"replicas": 0},
    "OCIRepository": {"suspend": True},
    "HelmRelease": {"suspend": True},
}


@dataclass(frozen=True, slots=True)
class Explaining:
    """Seconds of `workspace-ctrl explain NAME`, from the start of the process to its end."""

    workspaces: int
    objects: int
    runs: int
    median_seconds: float
    longest_seconds: float
    cpu_seconds: float
    """CPU time of a run, which does not depend on what else the machine does; median."""
    help_cpu_seconds: float
    """The same of `explain --help`, which reads nothing."""


@click.command()
@click.option("--workspaces", "-n", "count", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="How many.")
@click.option("--runs", type=click.IntRange(1, 100), default=10, show_default=True, help="Runs of the command.")
def main(*, count: int, runs: int) -> None:
    """Measure `workspace-ctrl explain NAME` beside COUNT Workspaces with their objects, and print the figures as JSON."""
    name = f"bench-{os.getpid()}"
    try:
        found = measure(up(name, Form.PLANE, ("flux", "gateway-api", "istio")), count, runs)
    except BenchmarkError as error:
        sys.exit(f"the benchmark failed: {error}")
    finally:
        down(name)
    print(json.dumps({"machine": machine(), **asdict(found)}, indent=2))


def measure(cluster: LocalCluster, count: int, runs: int) -> Explaining:
    """Fill the cluster and measure.

    Raises:
        BenchmarkError: filling took too long.
    """
    workspaces.install_crd(cluster)
    cluster.kubectl("create", "namespace", _NAMESPACE)
    workspaces.apply(cluster, _NAMESPACE, workspaces.gateway())
    objects = asyncio.run(_fill(cluster, count))
    with tempfile.TemporaryDirectory() as bytecode:
        program = _Program({**_variables(bytecode), "KUBECONFIG": str(cluster.kubeconfig)})
        name = f"w{count // 2}"
        program.run("explain", name, "-n", _NAMESPACE)  # compiles it, as its installation does
        seconds, cpu = zip(*(program.run("explain", name, "-n", _NAMESPACE) for _ in range(runs)), strict=True)
        _, help_cpu = zip(*(program.run("explain", "--help") for _ in range(runs)), strict=True)
    medians = (round(statistics.median(each), 2) for each in (seconds, cpu, help_cpu))
    median, median_cpu, median_help = medians
    return Explaining(count, objects, runs, median, round(max(seconds), 2), median_cpu, median_help)


async def _fill(cluster: LocalCluster, count: int) -> int:
    connection = open_connection(load_access(cluster.kubeconfig, None))
    client, slots = Client(connection, "bench"), asyncio.Semaphore(_IN_FLIGHT)
    objects = list(_objects(count))

    async def apply(resource: ApiResource, manifest: dict[str, Any]) -> None:
        async with slots:
            await client.apply(resource, manifest, force=True)

    try:
        async with stage("objects", limit=_FILL_SECONDS, total=len(objects)) as current:
            for number, task in enumerate(asyncio.as_completed([apply(*entry) for entry in objects]), 1):
                await task
                current.done(number)
    finally:
        await connection.close()
    return len(objects)


def _objects(count: int) -> Iterator[tuple[ApiResource, dict[str, Any]]]:
    settings = PlanSettings(gateway_extension=True)
    for number in range(count):
        document = workspaces.workspace(f"w{number}", gateway=workspaces.behind("inference-gateway", _NAMESPACE))
        document["metadata"]["namespace"] = _NAMESPACE
        yield _RESOURCES["Workspace"], document
        yield from ((_RESOURCES[each["kind"]], each) for each in _at_rest(preview(document, (), settings).manifests))


def _at_rest(manifests: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects as nobody changes them: without owner and pods, and suspended."""
    for manifest in manifests:
        metadata = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
        yield {**manifest, "metadata": metadata, "spec": {**manifest["spec"], **_AT_REST.get(manifest["kind"], {})}}


def _variables(bytecode: str) -> dict[str, str]:
    """Return the environment of a program whose bytecode is kept in a folder."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**found, "PYTHONPYCACHEPREFIX": bytecode}


class _Program:
    """This program, started again and again."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def run(self, *arguments: str) -> tuple[float, float]:
        """Run it; return its seconds, and those of CPU time."""
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "workspace_ctrl", *arguments]
        subprocess.run(command, env=self._variables, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.monotonic() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
