"""Whether the machine or its API server stood still meanwhile, so that no program could have been in time."""

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from e2e.cluster import Cluster, ClusterError

_PAUSE_SECONDS: Final = 0.5
_STALL_SECONDS: Final = 4.0
"""The holder of a Lease renews it every 2.5 s or sooner, and stops 7 s after the last renewal (`workspace_ctrl/kube/lease.py`)."""


class Stalls:
    """Asks the API server again and again, as long as it is entered, and keeps the longest time without an answer.

    Whoever holds a Lease is in the same position: where this has no answer in time, neither has a controller that does everything right.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._answered = time.monotonic()
        self.longest = 0.0
        """Seconds from one answer to the next, or to the end."""

    def __enter__(self) -> Self:
        self._answered = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def __bool__(self) -> bool:
        """Whether there was one."""
        return self.longest > _STALL_SECONDS

    def _watch(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            with suppress(ClusterError):  # of the program that asks; the time without an answer goes on
                if self._cluster.kubectl_result("get", "--raw", "/readyz").returncode == 0:
                    self._look()
                    self._answered = time.monotonic()

    def _look(self) -> None:
        self.longest = max(self.longest, time.monotonic() - self._answered)
