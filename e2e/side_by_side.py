"""Programs in lanes: the lanes at the same time, the programs of a lane one after the other."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import IO

Command = Sequence[str]


class _Lane:
    """Commands that run one after the other."""

    def __init__(self, commands: Sequence[Command], out: IO[bytes] | None) -> None:
        """Take the commands, and where their output goes; None for our own."""
        self.commands = commands
        self.out = out
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> list[int]:
        """Run what is left when it is its turn; return the exit codes."""
        codes: list[int] = []
        for command in self.commands:
            if self._stopped:
                break
            self._running = subprocess.Popen(command, stdout=self.out, stderr=self.out)
            codes.append(self._running.wait())
        return codes

    def stop(self, *, signalled: bool) -> None:
        """Begin no further command; where the running one has not been signalled as well, terminate it."""
        self._stopped = True
        if self._running is not None and not signalled:
            self._running.terminate()


def run(lanes: Sequence[Sequence[Command]]) -> int:
    """Run all lanes and return the first exit code that is not 0.

    The first lane prints as it goes; what the others print follows when all have ended. Ctrl-C reaches all programs that run, and each is
    waited for, as it may have something to take down; SIGTERM is passed on.
    """
    stopped: list[int] = []
    with ExitStack() as stack:
        kept = [stack.enter_context(tempfile.TemporaryFile()) for _ in lanes[1:]]
        driven = [_Lane(commands, out) for commands, out in zip(lanes, [None, *kept], strict=True)]

        def stop(number: int, _frame: object) -> None:
            stopped.append(number)
            for lane in driven:
                lane.stop(signalled=number == signal.SIGINT)

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with ThreadPoolExecutor(len(driven)) as threads:
                codes = [code for lane in threads.map(_Lane.run, driven) for code in lane]
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        for lane, out in zip(driven[1:], kept, strict=True):
            print(f"\nMeanwhile, {' and '.join(' '.join(command) for command in lane.commands)}:", flush=True)
            out.seek(0)
            shutil.copyfileobj(out, sys.stdout.buffer)
            sys.stdout.flush()
    # A program that a signal ended has a negative code, of which the shell would make something else.
    return next((abs(code) for code in [*codes, *stopped] if code), 0)
