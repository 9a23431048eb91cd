"""Controllers forked from an interpreter that has imported the controller's modules already.

The imports are most of the CPU time of a short-lived controller, and tests start hundreds. Everything else is as with a process of its own:
arguments, environment, working directory, standard error, signals and exit code. Only where `preparing` holds, as nobody measures there.
"""

import faulthandler
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from e2e.cluster import LocalCluster
from e2e.cluster.places import REPOSITORY
from e2e.cluster.processes import pid_of

MODULE: Final = "workspace_ctrl"
_NUMBER: Final = struct.Struct("=i")
_KNOWN: Final = b"!"
_LONGEST_ORDER: Final = 1 << 17
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
        _, handles, _, _ = socket.recv_fds(waiter, len(_KNOWN), 1)
        if not handles:
            raise _ended()
        self.pid = pid_of(handles[0])
        os.close(handles[0])
        waiter.send(_KNOWN)

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
        read = self._waiter.recv(_NUMBER.size)
        if len(read) != _NUMBER.size:
            raise _ended()
        return int(_NUMBER.unpack(read)[0])


def _ended() -> RuntimeError:
    return RuntimeError("the prepared interpreter has ended")


class Interpreter:
    """The interpreter from which controllers are forked, on this machine or inside a cluster."""

    def __init__(self, inside: LocalCluster | None = None) -> None:
        """Start it; it imports while the caller goes on."""
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        entry = inside.entry_command() if inside is not None else []
        with theirs:
            command = [*entry, sys.executable, "-m", "e2e.prepared", str(theirs.fileno())]
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


@dataclass(frozen=True)
class _Order:
    """What a controller is started with."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def _serve(orders: socket.socket) -> _Order | None:
    """Fork for each order; return it in the forked process, and None here when nobody can give orders any more."""
    for name in ("main", "run"):  # the group imports a command only when it is used
        importlib.import_module(f"{MODULE}.cli.{name}")
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends us
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        text, (*handles,), _, _ = socket.recv_fds(orders, _LONGEST_ORDER, 2)
        if not text:
            return None
        if os.fork() == 0:
            orders.close()
            _fork_and_wait(*handles)
            values: dict[str, Any] = json.loads(text)
            return _Order(**values)
        for handle in handles:
            os.close(handle)


def _reap(_number: int, _frame: object) -> None:
    """Wait for those that wait for controllers, so that the CPU time of all counts as ours."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork_and_wait(stderr: int, starter: int) -> None:
    """Return in one more forked process; tell who it is, wait for it, tell its exit code, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(stderr, sys.stderr.fileno())
        os.close(stderr)
        # The stream of before may believe that it can seek, if it was a file.
        sys.stderr = open(sys.stderr.fileno(), "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        faulthandler.enable()  # what PYTHONFAULTHANDLER says comes too late
        os.close(starter)
        return
    try:
        os.close(stderr)
        _tell(pid, starter)
    finally:
        os._exit(0)


def _tell(pid: int, starter: int) -> None:
    with socket.socket(fileno=starter) as connection:
        socket.send_fds(connection, [_KNOWN], [os.pidfd_open(pid)])
        connection.recv(len(_KNOWN))  # as long as it is not waited for, it has a pid
        connection.send(_NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


def main() -> None:
    """Serve the socket whose number is the argument; in a forked process, be the controller."""
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        order = _serve(orders)
    if order is not None:
        os.environ.clear()
        os.environ.update(order.environment)
        os.chdir(order.folder)
        sys.argv[1:] = order.arguments
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
