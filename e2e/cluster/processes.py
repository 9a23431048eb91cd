"""Processes by pid and start time, so that a number that was given out again is never taken for ours."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNET = 0x40000000
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
PARENT_FIELD = 1
CPU_FIELDS = slice(11, 15)
"""User and system time of the process, then those of its children that have ended."""
START_TIME_FIELD = 19
"""These three: indexes among the fields of /proc/PID/stat that follow the name."""


@dataclass(frozen=True)
class ProcessId:
    """One process for ever, not whoever has its number now."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Identify a running process."""
        return cls(pid, _start_time(pid))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ProcessId":
        """Read an identity that was stored."""
        return cls(value["pid"], value["started"])

    @property
    def alive(self) -> bool:
        """Say whether this very process still runs (one that waits to be reaped does not)."""
        try:
            return _start_time(self.pid) == self.started and _state(self.pid) != "Z"
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)

    def gone_within(self, seconds: float) -> bool:
        """Wait for its end and say whether it came in time."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def children(pid: int) -> list[int]:
    """Return the direct children of a process, as this namespace numbers them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds_below(ancestors: Collection[int]) -> float:
    """Return the CPU time of some processes, of all that descend from them, and of their children that have ended."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                fields = _fields(int(entry.name))
                parents[int(entry.name)] = int(fields[PARENT_FIELD])
                used[int(entry.name)] = sum(map(int, fields[CPU_FIELDS]))
    below = set(ancestors)
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(used.get(pid, 0) for pid in below) / TICKS


def pid_inside(pid: int) -> int:
    """Return the number that a process has in its own pid namespace."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid


def pid_of(handle: int) -> int:
    """Return the number of the process of a pidfd, as this namespace numbers it."""
    told = Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines()
    return next(int(line.split()[-1]) for line in told if line.startswith("Pid:"))


def resident_bytes(pid: int) -> int:
    """Return the memory that a process occupies."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends, in place of the machine's init."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def await_children() -> None:
    """Wait until the last child, adopted ones included, has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def join_network(pid: int) -> None:
    """Move the calling thread into the network namespace of a process; sockets stay where they were created."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _start_time(pid: int) -> int:
    return int(_fields(pid)[START_TIME_FIELD])


def _state(pid: int) -> str:
    return _fields(pid)[0]
