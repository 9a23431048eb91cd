"""Whether KEDA's operator lives, where it reads no load from this controller, but from a Prometheus.

KEDA keeps its last status when its operator ends, and nothing else shows it while a set has no copies. But whoever runs its operator has a
Lease for it, and renews that every few seconds. Clocks of other machines do not count: what does is when a renewal has been seen here.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.lease import LEASE, parse_lease
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

LEASE_NAME: Final = "operator.keda.sh"
"""Of KEDA's operator, in whatever namespace it runs."""


class KedaHeartbeat:
    """Follows the Lease of KEDA's operator, from when that is first asked for."""

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        """Make it; `clock` returns seconds of a clock that is never set."""
        self._clock = clock
        self._store: Store[Any] = Store(lambda _lease: None)
        source = Source(LEASE, parse_lease, field_selector=f"metadata.name={LEASE_NAME}")
        self._informer = Informer(client, source, self._store, lambda _lease: self.see(self._store.keys()), lambda: None)
        self._task: asyncio.Task[None] | None = None
        self._renewed: float | None = None

    def see(self, leases: tuple[Key, ...]) -> None:
        """Take in that a Lease has changed, and which there are now; one that was deleted is no renewal."""
        if leases:
            self._renewed = self._clock()

    def silent_for(self, _namespace: str = "", _picker: str = "") -> float:
        """Return for how many seconds KEDA's operator has not renewed its Lease; 0 if none was ever seen, as without the right to it."""
        if self._task is None:
            self._task = asyncio.create_task(self._informer.run(), name="watch the Lease of KEDA")
            self._task.add_done_callback(_log_failure)
        return self._clock() - self._renewed if self._renewed is not None else 0.0

    async def close(self) -> None:
        """Stop to follow it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
