"""Runs of pytest in processes forked from this one, which has imported what all of them need.

Imports are most of what it costs to begin: a second of CPU time, for each process anew. Everything else is as with a process of its own.
"""

import gc
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from typing import IO, Final

import pytest

import workspace_ctrl
from e2e.exit_functions import own_exit_functions
from e2e.prepared import prepared_here

PYTEST: Final = (sys.executable, "-m", "pytest")
_PLUGINS: Final = ("hypothesis", "_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_randomly", "pytest_timeout")
_OF_CONFTESTS: Final = ("e2e.controller", "e2e.policies", "e2e.workspaces")
_NO_WARNING: Final = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Assertions of plugins that were imported before are not rewritten, which matters to those who write plugins."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def prepare() -> None:
    """Import what tests import, and leave it out of the search for garbage; to be called before any thread starts."""
    sys.dont_write_bytecode = False  # as in conftest.py
    packages = pkgutil.walk_packages(workspace_ctrl.__path__, f"{workspace_ctrl.__name__}.")
    modules = [package.name for package in packages if not package.name.endswith("__main__")]
    for name in (*_PLUGINS, *_OF_CONFTESTS, *modules):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


class ForkedPytest:
    """A process of pytest, as `subprocess.Popen` would start one with a command that begins with `PYTEST`."""

    def __init__(self, command: Sequence[str], out: IO[bytes] | None) -> None:
        """Start it, with its output in a file; None is our own."""
        arguments = command[len(PYTEST) :]
        self._process = multiprocessing.get_context("fork").Process(target=_run, args=(arguments, out))
        # A signal that comes while it begins waits until the process has its own handlers instead of ours.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def wait(self) -> int:
        """Wait until it has ended and return its exit code; that of a signal is negative."""
        while (code := self._process.exitcode) is None:
            self._process.join()
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()


def _run(arguments: Sequence[str], out: IO[bytes] | None) -> None:
    with own_exit_functions():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if out is not None:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(out.fileno(), stream.fileno())
        with prepared_here():
            sys.exit(pytest.main([*_NO_WARNING, *arguments]))
