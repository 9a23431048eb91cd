"""`make test`: brings about what the tests of this machine need, then runs them.

As root on Linux that includes packages of the distribution and a real cluster; without root, the plane form. All tests run in several
processes, four at once, each with clusters of its own; as root, one that is skipped has failed. `make test-unit` and
`make test-integration` run what needs no cluster.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e import costs, forked, side_by_side
from e2e.cluster import ClusterError, Form, addons, external
from e2e.cluster.fixtures import BARE
from e2e.cluster.places import REPOSITORY
from e2e.cluster.start import prepare

SHUFFLED = "--randomly-seed=2026"
"""The same order, and the same examples of properties, each time: what fails can be had again. With arguments, pytest shuffles anew."""
AT_ONCE = 4
"""Tests wait for about half of their time, so four parts at once keep two cores busy; with more, what takes seconds takes tens of them,
and the whole no less."""
INSTALLING = "e2e/scenarios/test_install*.py"
_LONGEST_INSTALLING = "e2e/scenarios/test_install.py"
PARTS = (
    ("tests/plane", "--ignore-glob=tests/plane/test_[a-e]*"),
    ("e2e", f"--ignore-glob={INSTALLING}"),
    tuple(
        name for path in sorted(REPOSITORY.glob(INSTALLING)) if (name := str(path.relative_to(REPOSITORY))) != _LONGEST_INSTALLING
    ),
    ("tests/plane", "--ignore-glob=tests/plane/test_[!a-e]*"),
    ("tests/faults",),
    (_LONGEST_INSTALLING,),
    ("tests/unit",),
    ("tests", *(f"--ignore-glob=tests/{folder}/*" for folder in ("plane", "faults", "unit", "integration", "api"))),
    ("tests/integration",),
    ("tests/api",),
)
"""Arguments of pytest for each process, the longest first, as a long one at the end would run alone; the first one is shown as it goes.

`make test` prints at its end what each part took, and how much of it was waiting.
"""
_UNIT_GROUPS = (
    ("tests/unit/planning",),
    tuple(f"tests/unit/{name}" for name in ("api", "architecture", "catalog", "kube", "readiness", "records")),
    tuple(f"tests/unit/{name}" for name in ("cases", "cli", "docs", "load")),
)
UNIT_PARTS = (*_UNIT_GROUPS, ("tests/unit", *(f"--ignore-glob={folder}/*" for group in _UNIT_GROUPS for folder in group)))
"""The same for the unit tests alone, all at once: four of a length. They compute, so more parts gain nothing."""
_COMMANDS = "tests/integration/cli"
_PAGE = f"{_COMMANDS}/page"
_STATUS = f"{_COMMANDS}/test_status.py"
_SERVERS = tuple(f"tests/integration/{name}" for name in ("model_index", "probe", "process"))
INTEGRATION_PARTS = (
    (_PAGE,),
    (_COMMANDS, f"--ignore-glob={_PAGE}/*", f"--ignore-glob={_STATUS}"),
    (_STATUS, "tests/integration/load"),
    _SERVERS,
    ("tests/integration", *(f"--ignore-glob={folder}/*" for folder in (_COMMANDS, "tests/integration/load", *_SERVERS))),
)
"""The same for tests that start programs and servers of this machine: they wait for most of their time, beside the others."""
ALONE = {"--unit": UNIT_PARTS, "--integration": INTEGRATION_PARTS}
"""What is run often, and needs no cluster. Such a part is forked, so it costs little."""
FEWER_EXAMPLES = "--hypothesis-profile=quick"
"""For what is run often; `make test` tries all examples."""


def main() -> None:
    """Prepare and run pytest: once, with the arguments where some are given, else once for each part; what is in ALONE needs nothing."""
    if parts := ALONE.get(" ".join(sys.argv[1:])):
        forked.prepare()
        sys.exit(run(parts, len(parts), FEWER_EXAMPLES, start=forked.ForkedPytest))
    if not external.wanted():
        form = Form.FULL if os.geteuid() == 0 else Form.PLANE
        try:
            for each in dict.fromkeys([form, Form.PLANE]):
                names = [addons.ALL, *(BARE if each is Form.FULL else ())]
                prepare(each, addons.choose(names, each), install_packages=form is Form.FULL)
        except ClusterError as error:
            sys.exit(f"make test: {error}")
    if sys.argv[1:]:
        os.execv(sys.executable, [*forked.PYTEST, *sys.argv[1:]])  # noqa: S606 - our own interpreter
    sys.exit(run(PARTS, AT_ONCE, SHUFFLED))


def run(parts: Sequence[Sequence[str]], at_once: int, *options: str, start: side_by_side.Start = side_by_side.process) -> int:
    """Run pytest for each part, so many at once, print what was slow and what was skipped, and return the first exit code that is not 0.

    As root on Linux, a test that was skipped has failed: else a machine that can run nothing would pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured = [Path(folder) / str(number) for number in range(len(parts))]
        commands = [
            [*forked.PYTEST, *options, f"--costs={path}", *arguments] for arguments, path in zip(parts, measured, strict=True)
        ]
        code = side_by_side.run(commands, at_once, start)
        ran = [costs.read([path]) for path in measured]
    for part in ran:
        print("", *costs.report(part), sep="\n")
    tests = [cost for part in ran for cost in part]
    print("", *costs.skips(tests), sep="\n")
    return code or int(_can_run_all() and any(cost.skipped for cost in tests))


def _can_run_all() -> bool:
    """Return whether this machine should be able to run all tests; elsewhere, those that need root are skipped."""
    return sys.platform == "linux" and os.geteuid() == 0


if __name__ == "__main__":
    main()
