"""What several unit tests share, and what none of them may do: start a program, or open a connection."""

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

_OUTSIDE = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.sendto",
        "subprocess.Popen",
    }
)
"""Python's audit events of what a unit test leaves alone, so that all of them take a few seconds and none waits for another program."""
SIZING = Path(__file__).parents[2] / "docs/concepts/sizing.md"


class Tables:
    """The Markdown tables of a document, by their heading."""

    def __init__(self, text):
        self.text = text

    def __call__(self, heading):
        lines = iter(self.text.partition(f"{heading}\n")[2].splitlines()[1:])
        rows = []
        while (line := next(lines, "")).startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
        assert rows, f"no table {heading}"
        return rows


@pytest.fixture(scope="session")
def sizing_doc():
    """The tables of docs/concepts/sizing.md, so that it cannot say what the code does not do."""
    return Tables(SIZING.read_text(encoding="utf-8"))


class _Boundary:
    """What is done outside this process while unit tests run; heard by Python, whoever in the process does it."""

    def __init__(self):
        self._crossed = None
        sys.addaudithook(self._hear)

    def _hear(self, event, _arguments):
        if self._crossed is not None and event in _OUTSIDE:
            self._crossed.add(event)

    @contextmanager
    def watched(self):
        """Fail if it is crossed inside, with the place where such tests are; within each other, the inner one tells what happens in it."""
        outer, self._crossed = self._crossed, set()
        crossed = self._crossed
        yield
        self._crossed = outer
        what = ", ".join(sorted(crossed))
        assert not crossed, f"{what}: a unit test starts no program and opens no connection; tests/integration is for those"


_BOUNDARY = _Boundary()


@pytest.fixture(scope="module", autouse=True)
def fixtures_stay_in_their_process():
    """The same for what tests of a module share."""
    with _BOUNDARY.watched():
        yield


@pytest.fixture(autouse=True)
def stays_in_its_process():
    """Each test leaves other programs alone."""
    with _BOUNDARY.watched():
        yield
