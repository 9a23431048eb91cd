"""The tests on one mutant: in a forked process that imports the changed module instead of the file."""

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.mutants import REPOSITORY
from tests.mutants.operators import Mutant

PACKAGE = "workspace_ctrl"
UNITS = REPOSITORY / "tests" / "unit"
_INTEGRATION = REPOSITORY / "tests" / "integration"
_IMPORTED = (
    "aiohttp",
    "click",
    "hypothesis",
    "kopf",
    "kubernetes",
    "orjson",
    "prometheus_client",
    "pydantic",
    "yaml",
    "_pytest.pytester",
)
"""What tests import besides the package: imported once, before forking."""
_CORE = ("api", "catalog", "records", "planning", "readiness", "cases")
"""Folders of unit tests; what is before does not depend on what comes later."""
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0", "--no-header")


_PATIENCE = 5
"""Times the CPU time that tests may take: how long they may take by the clock, beside other programs or waiting for nothing."""
_NOTHING_NOTICED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Of a folder, nothing may be left that has not run already."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    ENDLESS = "endless"
    """The tests did not end; that would be noticed."""


def prepare() -> None:
    """Import what all trials import.

    Raises:
        RuntimeError: the package has been imported already, so that no mutant of it would be.
    """
    for name in _IMPORTED:
        importlib.import_module(name)
    if PACKAGE in sys.modules:
        raise RuntimeError(f"{PACKAGE} is imported already")


def judges_of(path: str) -> list[list[str]]:
    """Return the unit tests that judge a module, those closest to it first: of its name, of its folder, of the core.

    What its folder has of tests with programs and servers comes last.
    """
    relative = Path(path).relative_to(PACKAGE)
    folder = next(place for place in (UNITS / relative.parent, *(UNITS / parent for parent in relative.parents)) if place.is_dir())
    own = sorted(folder.rglob(f"test_{relative.stem}.py"))
    top = UNITS / relative.parts[0]
    above = _CORE[_CORE.index(top.name) + 1 :] if top.name in _CORE else ()
    near = [top] if top != folder and top.is_dir() else []
    beside = list(_INTEGRATION.glob(relative.parts[0]))
    order = [own, [folder], near, [UNITS / name for name in above], beside]
    return [[str(place) for place in places] for places in order if places]


def judge(mutant: Mutant, seconds: float) -> tuple[Outcome, float]:
    """Run the tests on a mutant, each set of them at most for so many `seconds` of CPU time, so that other programs do not matter.

    Return what became of it, and how long that took.
    """
    began = time.monotonic()
    done: list[str] = []
    for tests in judges_of(mutant.path):
        outcome = _run(mutant, [*tests, *(f"--ignore={place}" for place in done)], seconds)
        done += tests
        if outcome is not Outcome.SURVIVED:
            return outcome, time.monotonic() - began
    return Outcome.SURVIVED, time.monotonic() - began


def _run(mutant: Mutant, tests: Sequence[str], seconds: float) -> Outcome:
    pid = os.fork()
    if pid == 0:
        _be_tested(mutant, tests, seconds)
    deadline = time.monotonic() + _PATIENCE * seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return _outcome(os.waitstatus_to_exitcode(status))
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return Outcome.ENDLESS


def _outcome(code: int) -> Outcome:
    """Return what the exit code of tests says of their mutant."""
    if code in _NOTHING_NOTICED:
        return Outcome.SURVIVED
    return Outcome.ENDLESS if code == -signal.SIGXCPU else Outcome.KILLED


def _be_tested(mutant: Mutant, tests: Sequence[str], seconds: float) -> None:
    """Run the tests in this process, which ends with them, or at `seconds` of CPU time."""
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(seconds), resource.RLIM_INFINITY))
        os.setpgrp()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.meta_path.insert(0, _Finder(mutant))
        code = pytest.main([*_OPTIONS, *tests])
    finally:
        os._exit(code)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the changed module under its name."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = mutant.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self._file = str(REPOSITORY / mutant.path)
        self._tree = mutant.tree(Path(self._file).read_text())

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._file, loader=_Loader(name, self._file, self._tree))


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads the changed module instead of its file."""

    def __init__(self, name: str, file: str, tree: ast.Module) -> None:
        super().__init__(name, file)
        self._tree = tree

    def get_code(self, _: str) -> Any:
        return compile(self._tree, self.path, "exec", dont_inherit=True)
