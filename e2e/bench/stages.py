"""Progress of a benchmark: one line at the beginning and the end of each stage, and now and then one between; each has a time limit."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from e2e.bench.errors import BenchmarkError

_EVERY_SECONDS = 5.0


class Stage:
    """A stage under way."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._started = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def done(self, count: int) -> None:
        """Note that `count` of the total are done."""
        self._done = count
        if time.monotonic() - self._said >= _EVERY_SECONDS:
            self.say(self.state)

    @property
    def state(self) -> str:
        """How far it is."""
        return f"{self._done} of {self._total}" if self._total else "under way"

    def say(self, text: str) -> None:
        """Print a line of the stage."""
        self._said = time.monotonic()
        print(f"{self.seconds:7.1f} s  {self._title}: {text}", file=sys.stderr, flush=True)


@asynccontextmanager
async def stage(title: str, *, limit: float, total: int = 0) -> AsyncIterator[Stage]:
    """Tell of a stage and end it after `limit` seconds.

    Raises:
        BenchmarkError: the limit was reached.
    """
    current = Stage(title, total)
    current.say("begins")
    try:
        async with asyncio.timeout(limit):
            yield current
    except TimeoutError:
        raise BenchmarkError(
            f"{title}: {current.state} after {limit:.0f} s, which is the limit; the logs of the cluster may say why"
        ) from None
    current.say("done")
