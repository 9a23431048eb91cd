"""The interpreter from which e2e/prepared.py has controllers forked. It imports nothing but what they need."""

import faulthandler
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

MODULE: Final = "workspace_ctrl"
NUMBER: Final = struct.Struct("=i")
"""An exit code."""
KNOWN: Final = b"!"
"""Comes with the handle of a process, and goes back when its pid has been read."""
_LONGEST_ORDER: Final = 1 << 17


@dataclass(frozen=True)
class _Order:
    """What a controller is started with."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def _serve(orders: socket.socket) -> _Order | None:
    """Fork for each order; return it in the forked process, and None here when nobody can give orders any more."""
    if _is_over(orders):
        return None
    for name in ("main", "run"):  # the group imports a command only when it is used
        importlib.import_module(f"{MODULE}.cli.{name}")
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends us
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        text, (*handles,), _, _ = socket.recv_fds(orders, _LONGEST_ORDER, 3)
        if not text:
            return None
        if os.fork() == 0:
            orders.close()
            _fork_and_wait(*handles)
            values: dict[str, Any] = json.loads(text)
            return _Order(**values)
        for handle in handles:
            os.close(handle)


def _is_over(orders: socket.socket) -> bool:
    """Return whether the tests ended before we began, so that nothing needs to be imported."""
    try:
        return not orders.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _reap(_number: int, _frame: object) -> None:
    """Wait for those that wait for controllers, so that the CPU time of all counts as ours."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork_and_wait(starter: int, stderr: int, stdout: int | None = None) -> None:
    """Return in one more forked process; tell who it is, wait for it, tell its exit code, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A signal that comes at once waits until it is no longer ignored.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _replace_stream("stderr", stderr, buffering=1)
        faulthandler.enable()  # what PYTHONFAULTHANDLER says comes too late
        if stdout is not None:
            _replace_stream("stdout", stdout)
        os.close(starter)
        return
    try:
        for handle in (stderr, stdout):
            if handle is not None:
                os.close(handle)
        _tell(pid, starter)
    finally:
        os._exit(0)


def _replace_stream(name: str, handle: int, buffering: int = -1) -> None:
    """Let a stream of `sys` lead to a handle."""
    number = getattr(sys, name).fileno()
    os.dup2(handle, number)
    os.close(handle)
    # The stream of before may believe that it can seek, if it was a file. In a process of its own, the first stream has both names.
    stream = open(number, "w", buffering=buffering, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
    for each in (name, f"__{name}__"):
        setattr(sys, each, stream)


def _tell(pid: int, starter: int) -> None:
    with socket.socket(fileno=starter) as connection:
        socket.send_fds(connection, [KNOWN], [os.pidfd_open(pid)])
        connection.recv(len(KNOWN))  # as long as it is not waited for, it has a pid
        connection.send(NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


def serve(orders: socket.socket) -> None:
    """Fork for each order that comes through the socket; in a forked process, be the controller."""
    with orders:
        order = _serve(orders)
    if order is not None:
        os.environ.clear()
        os.environ.update(order.environment)
        os.chdir(order.folder)
        sys.argv[1:] = order.arguments
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
