"""`python -m e2e.bench.memory`: memory and restart of the controller with very many Workspaces, without a cluster.

The controller is the real one in a process of its own; what it lists and watches comes from `api_server`.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console

from e2e.bench.api_server import ApiServer, served
from e2e.bench.errors import BenchmarkError
from e2e.bench.machine import machine
from e2e.bench.report import WIDTH, table
from e2e.bench.stages import stage
from e2e.bench.usage import quiet, usage

_GATE = "gatewayAPIInferenceExtension=true"
_COMMAND = [sys.executable, "-m", "workspace_ctrl", "run", "--feature-gates", _GATE, "--probe", "off"]  # no Gateway answers
_STOP_SECONDS = 30.0
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Memory:
    """What a controller holds that has taken in all Workspaces and looked at each."""

    workspaces: int
    synced_seconds: float
    quiet_seconds: float
    cpu_seconds: float
    rss_mib: float
    peak_mib: float
    lists: int


@click.command()
@click.option("--workspaces", "-n", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="How many.")
@click.option("--output", "-o", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format.")
def main(*, workspaces: int, output: str) -> None:
    """Measure memory and restart of the controller with many ready Workspaces, without a cluster."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(measure(workspaces, Path(folder) / "kubeconfig"))
    except BenchmarkError as error:
        sys.exit(f"the benchmark failed: {error}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    if output == "json":
        print(json.dumps(asdict(found), indent=2))
    else:
        Console(width=WIDTH).print(table(f"{workspaces:,} ready Workspaces from a recording · {machine()}", list(_rows(found))))


async def measure(count: int, kubeconfig: Path) -> Memory:
    """Return what the controller needs for `count` ready Workspaces.

    Raises:
        BenchmarkError: it did not take them in, or did not find them as it would have made them.
    """
    async with stage(f"generate {count} Workspaces", limit=600):
        server = ApiServer(count)
    async with stage("restart on them", limit=120 + 0.05 * count), served(server) as address:
        _write_kubeconfig(kubeconfig, address)
        started = time.monotonic()
        async with _controller(kubeconfig) as process:
            synced = time.monotonic() - started
            quiet_since = await quiet(process.pid)
            took = usage(process.pid)
    writes = sum(number for verb, number in server.calls.items() if verb not in {"get", "list"})
    if writes:
        raise BenchmarkError(f"the controller wrote {writes} times, so the recording is old; run: python -m e2e.bench.recording")
    return Memory(
        workspaces=count,
        synced_seconds=synced,
        quiet_seconds=quiet_since - started,
        cpu_seconds=took.cpu_seconds,
        rss_mib=took.rss_mib,
        peak_mib=took.peak_mib,
        lists=server.calls["list"],
    )


@asynccontextmanager
async def _controller(kubeconfig: Path) -> AsyncIterator[Process]:
    """Run the controller; yield it when its caches are filled."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    process = await asyncio.create_subprocess_exec(*_COMMAND, stderr=PIPE, env=environment)
    watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(process, watching))
    try:
        await watching
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        if process.returncode is None:
            process.kill()
        await reading


async def _read(process: Process, watching: "asyncio.Future[None]") -> None:
    """Read the log to its end, so that the pipe never fills; tell when all kinds are watched, or that they never will be."""
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    line = ""
    async for read in process.stderr:
        line = read.decode(errors="replace").strip()
        if ": watching " in line and not watching.done():
            watching.set_result(None)
    if not watching.done():
        watching.set_exception(BenchmarkError(f"the controller did not start; its last words: {line}"))


def _write_kubeconfig(path: Path, address: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "recorded", "cluster": {"server": address}}],
        "users": [{"name": "recorded", "user": {"token": "none"}}],
        "contexts": [{"name": "recorded", "context": {"cluster": "recorded", "user": "recorded"}}],
        "current-context": "recorded",
    }
    path.write_text(json.dumps(document))


def _rows(found: Memory) -> list[tuple[str, str]]:
    return [
        ("caches filled, since the start of the process", f"{found.synced_seconds:.1f} s"),
        ("each Workspace looked at", f"{found.quiet_seconds:.1f} s"),
        ("CPU", f"{found.cpu_seconds:.1f} s"),
        ("memory (RSS / peak)", f"{found.rss_mib:.0f} / {found.peak_mib:.0f} MiB"),
        ("lists (pages)", str(found.lists)),
        ("writes", "0"),
    ]


if __name__ == "__main__":
    main()
