"""Controllers forked from an interpreter that has imported the controller's modules already.

The imports are most of the CPU time of a short-lived controller, and tests start hundreds. Everything else is as with a process of its own:
arguments, environment, working directory, standard error, signals and exit code. Only where `preparing` holds, as nobody measures there.
"""

import json
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol

from e2e import prepared_interpreter
from e2e.cluster import LocalCluster
from e2e.cluster.places import REPOSITORY
from e2e.cluster.processes import pid_of
from e2e.exit_functions import own_exit_functions
from e2e.prepared_interpreter import KNOWN, MODULE, NUMBER

_END_SECONDS: Final = 60.0
"""One that was started a moment ago imports first, which takes long on a machine with too much to do."""


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
            with suppress(ProcessLookupError):  # it has ended just now, and the word of it is on its way
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
    """An interpreter from which controllers are forked."""

    def __init__(self, orders: socket.socket, wait: Callable[[float], object]) -> None:
        """Take our end of its socket, and what waits for its end so many seconds."""
        self._orders = orders
        self._wait = wait

    @classmethod
    def started(cls, inside: LocalCluster | None = None) -> "Interpreter":
        """Start one, on this machine or inside a cluster; it imports while the caller goes on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        entry = inside.entry_command() if inside is not None else []
        with theirs:
            command = [*entry, sys.executable, "-m", prepared_interpreter.__name__, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=REPOSITORY)
        return cls(ours, process.wait)

    @classmethod
    def forked(cls) -> "Interpreter":
        """Fork one from this process, with all that is imported here."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = multiprocessing.get_context("fork").Process(target=_serve, args=(ours, theirs))
            process.start()
        return cls(ours, process.join)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], stdout: int | None = None) -> ForkedProcess:
        """Start `workspace-ctrl` with arguments; its standard error can be read. Without `stdout` it prints where the interpreter does."""
        order = json.dumps({"arguments": list(arguments), "environment": dict(environment), "folder": str(Path.cwd())})
        stderr, their_stderr = os.pipe()
        waiter, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(
                    self._orders, [order.encode()], [theirs.fileno(), their_stderr, *([] if stdout is None else [stdout])]
                )
            finally:
                os.close(their_stderr)
        return ForkedProcess(os.fdopen(stderr, encoding="utf-8"), waiter)

    def end(self) -> None:
        """End it; controllers that run are not ended."""
        self._orders.close()
        self._wait(_END_SECONDS)


def _serve(ours: socket.socket, theirs: socket.socket) -> None:
    with own_exit_functions():  # of commands that are forked here as well
        ours.close()  # who has both ends is never told that nobody gives orders any more
        prepared_interpreter.serve(theirs)


_prepared: dict[str, Interpreter] = {}
"""By the name of the cluster that they are inside of; empty for this machine."""


def prepared(inside: LocalCluster | None = None) -> AbstractContextManager[None]:
    """Fork all controllers of this machine, or those inside a cluster, from one interpreter until the end; then as before."""
    return _using(Interpreter.started(inside), _place(inside))


def prepared_here() -> AbstractContextManager[None]:
    """The same for this machine, with the modules of this process, in which no thread may have been started yet."""
    return _using(Interpreter.forked(), _place(None))


@contextmanager
def _using(interpreter: Interpreter, place: str) -> Iterator[None]:
    before = _prepared.get(place)
    _prepared[place] = interpreter
    try:
        yield
    finally:
        interpreter.end()
        del _prepared[place]
        if before is not None:
            _prepared[place] = before


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    may_fork: bool = True,
    inside: LocalCluster | None = None,
    stdout: int | None = None,
) -> Running:
    """Start a command with its standard error in a pipe: forked if it may, if it is the controller's, and an interpreter is prepared."""
    interpreter = _prepared.get(_place(inside))
    if may_fork and interpreter is not None and list(command[:3]) == [sys.executable, "-m", MODULE]:
        return interpreter.start(command[3:], environment, stdout)
    entry = inside.entry_command() if inside is not None else []
    return subprocess.Popen([*entry, *command], stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment)


def _place(inside: LocalCluster | None) -> str:
    return inside.name if inside is not None else ""
