"""How long the builds that are still to be done will take: from what each usually takes, and from how fast they go on this machine."""

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_FIRST_SECONDS = 30.0
"""For which the speed is that of a usual machine; then that of this one counts more and more."""
_CORES_USED = 0.8
"""Part of its cores that a usual machine keeps busy with them."""
_CPU_SECONDS_A_PACKAGE = 0.2
"""Of what was measured: between 0.15 and 0.24."""
_MINUTE = 60.0


@dataclass(frozen=True)
class Usual:
    """What a build takes on an empty cache, each after those before it in the catalog."""

    packages: int
    """That are compiled."""
    cpu_seconds: float


_NOT_MEASURED = Usual(packages=1200, cpu_seconds=1200 * _CPU_SECONDS_A_PACKAGE)
"""About what a build takes of which nothing is known."""


class TimeLeft:
    """Of builds that begin now, some of them side by side; usable from several threads."""

    def __init__(
        self, usual: Mapping[str, Usual | None], clock: Callable[[], float] = time.monotonic, cores: int = os.cpu_count() or 1
    ) -> None:
        self._usual = {name: each or _NOT_MEASURED for name, each in usual.items()}
        self._guessed = {name for name, each in usual.items() if each is None}
        self._compiled = dict.fromkeys(usual, 0)
        self._finished: set[str] = set()
        self._clock = clock
        self._cores = cores
        self._started = clock()
        self._lock = threading.Lock()

    def at_most(self, name: str, packages: int) -> None:
        """Say how many packages a build has, with those that may be compiled already; where it was measured, that is known better."""
        with self._lock:
            if name in self._guessed:
                self._usual[name] = Usual(packages, packages * _CPU_SECONDS_A_PACKAGE)

    def compiled(self, name: str) -> None:
        """Count one package of a build."""
        with self._lock:
            self._compiled[name] = self._compiled.get(name, 0) + 1

    def finished(self, name: str) -> None:
        """Count all of a build, also what was in the cache."""
        with self._lock:
            self._finished.add(name)

    def seconds(self) -> float:
        """Return the seconds that are left."""
        with self._lock:
            all_of_it = sum(usual.cpu_seconds for usual in self._usual.values())
            done = sum(usual.cpu_seconds * self._part(name, usual) for name, usual in self._usual.items())
        elapsed = self._clock() - self._started
        speed = (done + _FIRST_SECONDS * self._cores * _CORES_USED) / (elapsed + _FIRST_SECONDS)
        return (all_of_it - done) / speed

    def __str__(self) -> str:
        """Say it in words."""
        minutes = math.ceil(self.seconds() / _MINUTE)
        return f"about {minutes} min left" if minutes > 1 else "about a minute left"

    def _part(self, name: str, usual: Usual) -> float:
        if name in self._finished:
            return 1.0
        # The last programs are linked when all packages are compiled.
        return min(self._compiled[name] / (usual.packages + 1), 0.98)
