"""Memory and CPU time of a process, and how busy its event loop says that it was."""

import asyncio
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_TICKS = os.sysconf("SC_CLK_TCK")
_LAG = "workspace_ctrl_event_loop_lag_seconds"
_QUIET_SHARE = 0.05
_QUIET_SECONDS = 2.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process holds and has used."""

    rss_mib: float
    peak_mib: float
    cpu_seconds: float


def usage(pid: int) -> Usage:
    """Return what process `pid` holds now and has used since its start."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime of proc(5), counted from the state on
    return Usage(_mib(status, "VmRSS"), _mib(status, "VmHWM"), ticks / _TICKS)


def _mib(status: str, field: str) -> float:
    match = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


async def quiet(pid: int) -> float:
    """Wait until process `pid` has used next to no CPU time for two seconds; return since when, on the monotonic clock."""
    since, known = time.monotonic(), usage(pid).cpu_seconds
    while time.monotonic() - since < _QUIET_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        used = usage(pid).cpu_seconds
        if used - known > _QUIET_SHARE * _LOOK_SECONDS:
            since = time.monotonic()
        known = used
    return since


async def lag_buckets(port: int) -> dict[float, float]:
    """Return the histogram of the event loop's lag, cumulative counts by upper bound in seconds; empty where it is not measured."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        text = await response.text()
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{_LAG}_bucket"
    }
