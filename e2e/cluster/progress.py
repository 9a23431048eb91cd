"""What a person sees while something takes time: a live bar on a terminal, plain lines everywhere else."""

import functools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from e2e.cluster.time_left import TimeLeft

PLAIN_INTERVAL = 10.0
SLOWEST_SHOWN = 3


class BuildDisplay:
    """Packages done of a folder's build. The total counts cached packages too, so the end comes early or on time.

    With `left`, also the time until this build and those beside and after it are finished.
    """

    def __init__(self, folder: str, total: int, left: TimeLeft | None = None) -> None:
        self._folder = folder
        self._total = total
        self._left = left
        self._done = 0
        self._started = time.monotonic()
        self._said = self._started
        self._bar = _bars() if sys.stderr.isatty() else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._bar:
            self._task = self._bar.add_task(f"build {self._folder}", total=self._total, package="", left="")
            self._bar.start()
        else:
            self._say("started")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        seconds = time.monotonic() - self._started
        if self._bar and self._task is not None:
            if kind is None:
                self._bar.update(self._task, completed=self._total, package="", left="")
            self._bar.stop_task(self._task)
            if all(task.stop_time is not None for task in self._bar.tasks):
                self._bar.stop()
        else:
            self._say(f"{'built' if kind is None else 'stopped'} after {seconds:.0f} s")

    def line(self, package: str) -> None:
        """Count one line of `go build -v`: a package that is being compiled."""
        self._done += 1
        if self._left:
            self._left.compiled(self._folder)
        left = str(self._left or "")
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=min(self._done, self._total), package=package[-40:], left=left)
        elif time.monotonic() - self._said >= PLAIN_INTERVAL:
            self._say(", ".join(filter(None, [f"{self._done} of at most {self._total} packages", left, f"now {package}"])))

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        print(f"build {self._folder}: {text}", file=sys.stderr, flush=True)


@functools.cache
def _bars() -> Progress:
    """Return the display that all builds of the process share: only one can be live."""
    return Progress(
        TextColumn("{task.description:18}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[package]}", style="dim"),
        console=Console(stderr=True),
    )


class Steps:
    """A line per finished step of a start, with the seconds that it took; usable from several threads."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._took: list[tuple[float, str]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step and print it when it is through."""
        begin = time.monotonic()
        yield
        end = time.monotonic()
        with self._lock:
            self._took.append((end - begin, name))
            print(f"{end - self._started:6.1f} s  {name} ({end - begin:.1f} s)", flush=True)

    def summary(self) -> str:
        """Return the total and the slowest steps."""
        slowest = sorted(self._took, reverse=True)[:SLOWEST_SHOWN]
        listed = ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slowest)
        return f"{time.monotonic() - self._started:.1f} s in total; slowest: {listed}"
