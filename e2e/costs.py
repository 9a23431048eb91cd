"""The pytest plugin behind `--costs=FILE`: what each test costs, and on how much of its time it only waits.

A test's CPU time is that of pytest's process, of the programs that the test has started and of the clusters that this pytest has started.
"""

import json
import os
import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.cluster.places import ClusterPlaces, clusters_dir
from e2e.cluster.processes import cpu_seconds_below

SLOWEST = 10


@dataclass(frozen=True)
class Cost:
    """What one test took, in seconds."""

    test: str
    setup: float
    call: float
    teardown: float
    cpu: float
    skipped: str = ""
    """Why the test was skipped; empty if it was not."""

    @property
    def wall(self) -> float:
        """From the beginning of the setup to the end of the teardown."""
        return self.setup + self.call + self.teardown

    @property
    def file(self) -> str:
        """The file of the test."""
        return self.test.partition("::")[0]


def read(paths: list[Path]) -> list[Cost]:
    """Return the costs in some files; one that was not written has none."""
    return [Cost(**json.loads(line)) for path in paths if path.exists() for line in path.read_text().splitlines()]


def report(costs: list[Cost]) -> list[str]:
    """Return the lines that tell what the tests took together, which files took longest, and which tests."""
    by_file: dict[str, list[Cost]] = {}
    for cost in costs:
        by_file.setdefault(cost.file, []).append(cost)
    return [
        f"{'seconds':>8} {'setup':>8} {'teardown':>8} {'CPU':>8} {'waiting':>8}",
        _line(_sum(f"{len(costs)} tests", costs)),
        *map(_line, _longest_first([_sum(f"{file}: {len(tests)} tests", tests) for file, tests in by_file.items()])),
        *map(_line, _longest_first(costs)),
    ]


def skips(costs: list[Cost]) -> list[str]:
    """Return the lines that tell how many tests were skipped, and why."""
    reasons = Counter(cost.skipped for cost in costs if cost.skipped)
    return [
        f"{reasons.total()} of {len(costs)} tests were skipped",
        *(f"{count:8} {words}" for words, count in reasons.most_common()),
    ]


def _sum(name: str, costs: list[Cost]) -> Cost:
    setup, call, teardown, cpu = (sum(getattr(cost, part) for cost in costs) for part in ("setup", "call", "teardown", "cpu"))
    return Cost(name, setup, call, teardown, cpu)


def _longest_first(costs: list[Cost]) -> list[Cost]:
    return sorted(costs, key=lambda cost: cost.wall, reverse=True)[:SLOWEST]


def _line(cost: Cost) -> str:
    waiting = max(0.0, 1 - cost.cpu / cost.wall) if cost.wall else 0.0
    return f"{cost.wall:8.1f} {cost.setup:8.1f} {cost.teardown:8.1f} {cost.cpu:8.1f} {waiting:8.0%}  {cost.test}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--costs`."""
    parser.addoption("--costs", type=Path, metavar="FILE", help="write what each test costs to FILE, a line of JSON each")


def pytest_configure(config: pytest.Config) -> None:
    """Record only where that is asked for."""
    if path := config.getoption("--costs"):
        config.pluginmanager.register(_Recorder(path), "costs-recorder")


class _Recorder:
    """Measures each phase of each test."""

    def __init__(self, path: Path) -> None:
        # What is done for each of thousands of tests must not take as long as they do.
        self._file = path.open("a", buffering=1)
        self._clusters = clusters_dir()
        self._walls: dict[str, float] = {}
        self._skipped = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = self._cpu_seconds()
        self._walls = dict.fromkeys(("setup", "call", "teardown"), 0.0)
        self._skipped = ""
        try:
            return (yield)
        finally:
            # A cluster that was taken down with the last test cannot be asked any more; what it used counts for nothing then.
            cpu = max(0.0, self._cpu_seconds() - before)
            cost = Cost(item.nodeid, self._walls["setup"], self._walls["call"], self._walls["teardown"], cpu, self._skipped)
            self._file.write(json.dumps(vars(cost)) + "\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._walls[str(report.when)] = report.duration
        if report.skipped:
            self._skipped = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"

    def _cpu_seconds(self) -> float:
        if supervisors := self._supervisors():
            return cpu_seconds_below([os.getpid(), *supervisors])
        used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in used)  # in microseconds; os.times() counts hundredths of a second

    def _supervisors(self) -> list[int]:
        """Return the pids of the supervisors of the clusters that this process has started."""
        ours = f"-{os.getpid()}"
        names = os.listdir(self._clusters) if self._clusters.is_dir() else []  # noqa: PTH208 - without a Path for each
        keepers = (ClusterPlaces(name).keeper for name in names if name.endswith(ours))
        return [json.loads(keeper.read_text())["supervisor"]["pid"] for keeper in keepers if keeper.exists()]
