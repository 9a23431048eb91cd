"""Whether the machine or its API server stood still meanwhile, so that no program could have been in time."""

import threading
import time
from types import TracebackType
from typing import Final, Self

from e2e.cluster import Cluster

_PAUSE_SECONDS: Final = 0.5
_STALL_SECONDS: Final = 2.5
"""After so long without an answer, a renewal of a Lease is given up (`workspace_ctrl/kube/lease.py`)."""


class Stalls:
    """Asks the API server again and again, as long as it is entered, and keeps how long the longest turn took.

    Whoever holds a Lease is in the same position: where this has no answer in time, neither has a controller that does everything right.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.longest = 0.0
        """Seconds between one answer and the next, without the pause between them."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def __bool__(self) -> bool:
        """Whether there was one."""
        return self.longest > _STALL_SECONDS

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_PAUSE_SECONDS):
            self._cluster.kubectl_result("get", "--raw", "/readyz")
            now = time.monotonic()
            self.longest = max(self.longest, now - last - _PAUSE_SECONDS)
            last = now
