"""Controllers forked from an interpreter that has imported the controller's modules already.

The imports are most of the CPU time of a short-lived controller, and tests start hundreds. Everything else is as with a process of its own:
arguments, environment, working directory, standard error, signals and exit code. Only where `preparing` holds, as nobody measures there.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from e2e import prepared_interpreter
from e2e.cluster import LocalCluster
from e2e.cluster.places import REPOSITORY
from e2e.cluster.processes import pid_of
from e2e.prepared_interpreter import KNOWN, MODULE, NUMBER

_END_SECONDS: Final = 10.0


class Running(Protocol):
    """What is needed of `subprocess.Popen`."""

    pid: int
    stderr: IO[str] | None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended and return its exit code."""

    def send_signal(self, sig: int) -> None:
        """Send a signal if it still runs."""


class ForkedProcess:
    """A process that is waited for by another one, which tells its exit code through a socket."""

    def __init__(self, stderr: IO[str], waiter: socket.socket) -> None:
        """Take the reading end of a pipe and a socket, and learn from it who the process is: it may have another pid where it runs."""
        self.stderr: IO[str] | None = stderr
        self._waiter = waiter
        self._one_reads = threading.Lock()
        self._code: int | None = None
        _, handles, _, _ = socket.recv_fds(waiter, len(KNOWN), 1)
        if not handles:
            raise _ended()
        self.pid = pid_of(handles[0])
        os.close(handles[0])
        waiter.send(KNOWN)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended within `timeout` seconds.
        """
        code = self._within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(MODULE, timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _within(self, seconds: float | None) -> int | None:
        if self._code is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._waiter, selectors.EVENT_READ)
                if not selector.select(seconds):
                    return None
            with self._one_reads:  # several threads may wait
                if self._code is None:
                    self._code = self._next()
        return self._code

    def _next(self) -> int:
        read = self._waiter.recv(NUMBER.size)
        if len(read) != NUMBER.size:
            raise _ended()
        return int(NUMBER.unpack(read)[0])


def _ended() -> RuntimeError:
    return RuntimeError("the prepared interpreter has ended")


class Interpreter:
    """The interpreter from which controllers are forked, on this machine or inside a cluster."""

    def __init__(self, inside: LocalCluster | None = None) -> None:
        """Start it; it imports while the caller goes on."""
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        entry = inside.entry_command() if inside is not None else []
        with theirs:
            command = [*entry, sys.executable, "-m", prepared_interpreter.__name__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=REPOSITORY)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess:
        """Start `workspace-ctrl` with arguments; its standard error can be read."""
        order = json.dumps({"arguments": list(arguments), "environment": dict(environment), "folder": str(Path.cwd())})
        stderr, their_stderr = os.pipe()
        waiter, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._orders, [order.encode()], [their_stderr, theirs.fileno()])
            finally:
                os.close(their_stderr)
        return ForkedProcess(os.fdopen(stderr, encoding="utf-8"), waiter)

    def end(self) -> None:
        """End it; controllers that run are not ended."""
        self._orders.close()
        self._process.wait(_END_SECONDS)


_prepared: dict[str, Interpreter] = {}
"""By the name of the cluster that they are inside of; empty for this machine."""


@contextmanager
def prepared(inside: LocalCluster | None = None) -> Iterator[None]:
    """Fork all controllers of this machine, or those inside a cluster, from one interpreter until the end; then as before."""
    place = _place(inside)
    before, interpreter = _prepared.get(place), Interpreter(inside)
    _prepared[place] = interpreter
    try:
        yield
    finally:
        interpreter.end()
        del _prepared[place]
        if before is not None:
            _prepared[place] = before


def start(
    command: Sequence[str], environment: Mapping[str, str], *, may_fork: bool = True, inside: LocalCluster | None = None
) -> Running:
    """Start a command with its standard error in a pipe: forked if it may, if it is the controller's, and an interpreter is prepared."""
    interpreter = _prepared.get(_place(inside))
    if may_fork and interpreter is not None and list(command[:3]) == [sys.executable, "-m", MODULE]:
        return interpreter.start(command[3:], environment)
    entry = inside.entry_command() if inside is not None else []
    return subprocess.Popen([*entry, *command], stderr=subprocess.PIPE, text=True, env=environment)


def _place(inside: LocalCluster | None) -> str:
    return inside.name if inside is not None else ""
