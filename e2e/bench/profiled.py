"""The controller with a sampler inside: where its CPU time goes.

A timer that runs only while the process uses CPU interrupts it, and the stack of that moment is counted: a sample is a few milliseconds of
CPU time, and waiting costs none. The result is a file of collapsed stacks, as flame graph tools read it, and a list of the functions with
the most samples.
"""

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from e2e.cluster import Cluster
from e2e.controller import ControllerProcess

_INTERVAL = 0.004
"""Seconds of CPU time between two samples."""


class ProfiledController(ControllerProcess):
    """The controller, sampled from its start until it stops."""

    def __init__(self, cluster: Cluster, samples: Path, *arguments: str) -> None:
        super().__init__(cluster, *arguments)
        interpreter, _, _, *rest = self._command
        self._command = [interpreter, "-m", "e2e.bench.profiled", str(samples), *rest]


class Sampler:
    """Counts stacks."""

    def __init__(self) -> None:
        self.stacks: Counter[tuple[str, ...]] = Counter()

    def start(self) -> None:
        """Begin to sample this process."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)

    def stop(self) -> None:
        """End sampling."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            code = frame.f_code
            stack.append(f"{frame.f_globals.get('__name__', '?')}:{code.co_qualname}")
            frame = frame.f_back
        self.stacks[tuple(reversed(stack))] += 1


def collapsed(stacks: Counter[tuple[str, ...]]) -> str:
    """Return stacks with their counts, one a line."""
    return "".join(f"{';'.join(stack)} {count}\n" for stack, count in stacks.most_common())


def parse_collapsed(text: str) -> Counter[tuple[str, ...]]:
    """Return the stacks of a file that `collapsed` made."""
    pairs = (line.rpartition(" ") for line in text.splitlines())
    return Counter({tuple(stack.split(";")): int(count) for stack, _, count in pairs})


def inclusive(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Return for each function the samples in which it was under way."""
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        for function in set(stack):
            counts[function] += count
    return counts


def exclusive(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Return for each function the samples in which it was the innermost of Python's, the C code that it called included."""
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        counts[stack[-1]] += count
    return counts


def main() -> None:
    """Run the controller with the rest of the command line, then write the samples."""
    from workspace_ctrl.cli.main import main as controller  # noqa: PLC0415 - imports are not what is sampled

    samples = Path(sys.argv.pop(1))
    sampler = Sampler()
    sampler.start()
    try:
        controller()
    finally:
        sampler.stop()
        samples.write_text(collapsed(sampler.stacks))


if __name__ == "__main__":
    main()
