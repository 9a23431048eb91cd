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
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
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
_MOST_OUTPUT = 4096
"""Characters that are shown of what tests print, from the end."""
_CORE = ("api", "catalog", "records", "planning", "readiness", "cases")
"""Folders of unit tests; what is before does not depend on what comes later."""
_WARNINGS = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Plugins are imported before the fork, and their assertions are nobody's."""
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0", "--no-header", *_WARNINGS)
_ROOM = 4
"""Times the CPU time that judges take on the unchanged package: what they may take on a mutant."""
_LEAST_SECONDS = 20.0
_PATIENCE = 5
"""Times that CPU time: how long judges may take by the clock, beside other programs or waiting for nothing."""
_ENDLESS_SECONDS = 1200.0
_NOTHING_NOTICED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Of a folder, nothing may be left that has not run already."""
_NOTICED = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
"""A test has failed, or could not be collected."""
_CONFTEST = "ImportError while loading conftest"
"""What pytest says, as a wrong use of it, where a module that all tests import cannot be imported."""


class JudgesError(Exception):
    """The tests could not judge: they fail without a mutant, or have ended in another way than by a result."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    ENDLESS = "endless"
    """The tests did not end; that would be noticed."""


@dataclass(frozen=True)
class _Ended:
    """How a run of tests has ended."""

    code: int | None
    """None if it was ended, for its time."""
    cpu_seconds: float
    output: str

    @property
    def outcome(self) -> Outcome:
        """What that says of a mutant.

        Raises:
            JudgesError: nothing.
        """
        if self.code in _NOTHING_NOTICED:
            return Outcome.SURVIVED
        if self.code is None or self.code == -signal.SIGXCPU:
            return Outcome.ENDLESS
        if self.code in _NOTICED or (self.code == pytest.ExitCode.USAGE_ERROR and _CONFTEST in self.output):
            return Outcome.KILLED
        raise JudgesError(f"the tests have ended with {self.code}, which is no result:\n{self.output}")


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


class Trials:
    """Runs tests on mutants; each set of tests runs without one first."""

    def __init__(self) -> None:
        """Know of no tests yet what they take."""
        self._allowed: dict[tuple[str, ...], float] = {}

    def judge(self, mutant: Mutant) -> tuple[Outcome, float]:
        """Run the tests on a mutant until a set of them notices it; return what became of it, and how many seconds that took.

        Raises:
            JudgesError: the tests fail without a mutant, too, or have ended in another way than by a result.
        """
        began = time.monotonic()
        done: list[str] = []
        for places in judges_of(mutant.path):
            tests = (*places, *(f"--ignore={place}" for place in done))
            outcome = _run(mutant, tests, self.allowed(tests)).outcome
            done += places
            if outcome is not Outcome.SURVIVED:
                return outcome, time.monotonic() - began
        return Outcome.SURVIVED, time.monotonic() - began

    def allowed(self, tests: tuple[str, ...]) -> float:
        """Return the CPU time that tests may take on a mutant, in seconds, by a run of them on the unchanged package.

        By CPU time, other programs do not matter.

        Raises:
            JudgesError: a test fails, so that it would fail on each mutant as well.
        """
        if tests not in self._allowed:
            ended = _run(None, tests, _ENDLESS_SECONDS)
            if ended.code not in _NOTHING_NOTICED:
                raise JudgesError(f"the tests do not pass without a mutant either ({ended.code}):\n{ended.output}")
            self._allowed[tests] = max(_ROOM * ended.cpu_seconds, _LEAST_SECONDS)
        return self._allowed[tests]


def _run(mutant: Mutant | None, tests: Sequence[str], seconds: float) -> _Ended:
    finder = _Finder(mutant) if mutant is not None else None
    with tempfile.TemporaryFile("w+") as output:
        pid = os.fork()
        if pid == 0:
            _be_tested(finder, tests, seconds, output.fileno())
        code, used = _wait(pid, time.monotonic() + _PATIENCE * seconds)
        output.seek(0)
        return _Ended(code, used.ru_utime + used.ru_stime, output.read()[-_MOST_OUTPUT:])


def _wait(pid: int, deadline: float) -> tuple[int | None, resource.struct_rusage]:
    """Return the exit code of a process, None for one that is ended at the deadline, and what it has used."""
    while time.monotonic() < deadline:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    return None, os.wait4(pid, 0)[2]


def _be_tested(finder: "_Finder | None", tests: Sequence[str], seconds: float, output: int) -> None:
    """Run the tests in this process, which ends with them, or at `seconds` of CPU time."""
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(seconds), resource.RLIM_INFINITY))
        os.setpgrp()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        if finder is not None:
            sys.meta_path.insert(0, finder)
        code = pytest.main([*_OPTIONS, *tests])
    except BaseException:  # noqa: BLE001 - the process ends here, and with it what would print this
        traceback.print_exc()
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
