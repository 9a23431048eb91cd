"""The program in a process of its own, forked from one that has imported its modules."""

import asyncio
import os
import sys
import tempfile

from e2e.prepared import start
from e2e.waiting import WAIT_SECONDS

PROGRAM = (sys.executable, "-m", "workspace_ctrl")


def run(*arguments, stdout, environment=None):
    """Run a command until its end, its output to a file or pipe; return its exit code and what it prints to standard error."""
    process = start([*PROGRAM, *arguments], environment or os.environ, stdout=stdout)
    with process.stderr as errors:
        return process.wait(WAIT_SECONDS), errors.read()


def printed(*arguments, environment=None):
    """Run a command until it succeeds; return its output."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        code, errors = run(*arguments, stdout=file.fileno(), environment=environment)
        assert code == 0, errors
        file.seek(0)
        return file.read()


class Program:
    """A command that runs; what it prints can be read."""

    def __init__(self, *arguments, environment=None):
        reading, writing = os.pipe()
        self.process = start([*PROGRAM, *arguments], environment or os.environ, stdout=writing)
        os.close(writing)
        self.stdout = os.fdopen(reading, encoding="utf-8")

    async def line(self):
        """The next line of its output."""
        return await asyncio.wait_for(asyncio.to_thread(self.stdout.readline), WAIT_SECONDS)

    async def errors(self):
        """What it prints to standard error until its end."""
        return await asyncio.to_thread(self.process.stderr.read)

    async def code(self):
        """Wait for its end, and return its exit code."""
        return await asyncio.to_thread(self.process.wait, WAIT_SECONDS)

    def close(self):
        """End it if it still runs."""
        self.process.send_signal(9)
        self.process.wait(WAIT_SECONDS)
        self.stdout.close()
        self.process.stderr.close()
