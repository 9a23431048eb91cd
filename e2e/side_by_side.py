"""Programs that run at the same time and whose output can be read one after the other."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack


def run(commands: Sequence[Sequence[str]]) -> int:
    """Run all at once and return the first exit code that is not 0.

    The first one prints as it goes; what the others print follows when all have ended. Ctrl-C reaches all of them, and each is waited
    for, as it may have something to take down; SIGTERM is passed on.
    """
    with ExitStack() as stack:
        kept = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands[1:]]
        started = [subprocess.Popen(command, stdout=out, stderr=out) for command, out in zip(commands, [None, *kept], strict=True)]

        def stop(_number: int, _frame: object) -> None:
            for process in started:
                process.terminate()

        previous = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
            signal.SIGTERM: signal.signal(signal.SIGTERM, stop),
        }
        try:
            codes = [process.wait() for process in started]
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        for command, out in zip(commands[1:], kept, strict=True):
            print(f"\nMeanwhile, {' '.join(command)}:", flush=True)
            out.seek(0)
            shutil.copyfileobj(out, sys.stdout.buffer)
            sys.stdout.flush()
    # A program that a signal ended has a negative code, of which the shell would make something else.
    return next((abs(code) for code in codes if code), 0)
