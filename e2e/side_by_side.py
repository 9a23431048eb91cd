"""Programs, several at once: each place takes the next one when its own has ended."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import IO, Protocol

Command = Sequence[str]


class Running(Protocol):
    """What is needed of `subprocess.Popen`."""

    def wait(self) -> int:
        """Wait until it has ended and return its exit code; that of a signal is negative."""

    def terminate(self) -> None:
        """Send SIGTERM."""


Start = Callable[[Command, IO[bytes] | None], Running]
"""Starts a command, with its output in a file; None is our own."""


def process(command: Command, out: IO[bytes] | None) -> Running:
    """Start a process."""
    return subprocess.Popen(command, stdout=out, stderr=out)


class _Place:
    """Runs commands one after the other, as long as there are any."""

    def __init__(self, waiting: deque[Command], start: Start, out: IO[bytes] | None) -> None:
        """Take the commands that all places share; `out` is where the output goes, None for our own."""
        self.out = out
        self.ran: list[Command] = []
        self._waiting = waiting
        self._start = start
        self._stopped = False
        self._running: Running | None = None

    def begin(self) -> None:
        """Start the next command, if there is one."""
        command = None if self._stopped else _next(self._waiting)
        if command is None:
            self._running = None
        else:
            self.ran.append(command)
            self._running = self._start(command, self.out)
            if self._stopped:  # while it was being started: whoever stopped this place has not seen it
                self._running.terminate()

    def run(self) -> list[int]:
        """Wait for the command that has begun, and for others until none is left; return the exit codes."""
        codes: list[int] = []
        while self._running is not None:
            codes.append(self._running.wait())
            self.begin()
        return codes

    def stop(self, *, signalled: bool) -> None:
        """Begin no further command; where the running one has not been signalled as well, terminate it."""
        self._stopped = True
        if self._running is not None and not signalled:
            self._running.terminate()


def _next(waiting: deque[Command]) -> Command | None:
    try:
        return waiting.popleft()  # two places never get the same one
    except IndexError:
        return None


def _begin(places: Sequence[_Place]) -> None:
    """Start the first command of each place; where one cannot be started, stop the others and wait for them."""
    try:
        for place in places:
            place.begin()
    except BaseException:
        for place in places:
            place.stop(signalled=False)
        for place in places:
            place.run()
        raise


def run(commands: Sequence[Command], at_once: int, start: Start = process) -> int:
    """Run the commands in their order, so many at once, and return a place's first exit code that is not 0.

    The first ones are started before there is any thread.
    The first place prints as it goes; what the others print follows when all have ended. Ctrl-C reaches all programs that run, and each is
    waited for, as it may have something to take down; SIGTERM is passed on.
    """
    waiting, stopped = deque(commands), list[int]()
    with ExitStack() as stack:
        kept = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(1, at_once)]
        places = [_Place(waiting, start, out) for out in (None, *kept)]

        def stop(number: int, _frame: object) -> None:
            stopped.append(number)
            for place in places:
                place.stop(signalled=number == signal.SIGINT)

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _begin(places)
            with ThreadPoolExecutor(at_once) as threads:
                codes = [code for place in threads.map(_Place.run, places) for code in place]
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        for place, out in zip(places[1:], kept, strict=True):
            print(f"\nMeanwhile, {' and '.join(map(' '.join, place.ran)) or 'nothing'}:", flush=True)
            out.seek(0)
            shutil.copyfileobj(out, sys.stdout.buffer)
            sys.stdout.flush()
    # A program that a signal ended has a negative code, of which the shell would make something else.
    return next((abs(code) for code in [*codes, *stopped] if code), 0)
