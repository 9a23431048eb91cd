"""Reads the load of a pool from its endpoint picker, when an autoscaler asks for it.

Nothing is read unless asked for, and several questions within a second share an answer. Pickers are untrusted (`metrics_client`), and only
sums leave this process: why a picker does not answer is in the log, not in the answer to whoever asks.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.connections.special_addresses import Network
from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.fair_slots import FairSlots
from workspace_ctrl.load.metrics_client import MetricsClient, NoMetricsError
from workspace_ctrl.load.picker_metrics import PoolLoad, parse_load

logger = logging.getLogger(__name__)

METRICS_PORT: Final = 9090
_REUSED_SECONDS: Final = 1.0
_COUNTED_SECONDS: Final = 60.0
_MOST_BYTES: Final = 8 << 20
_MOST_POOLS: Final = 4096
_AT_ONCE: Final = 16
_AT_ONCE_OF_NAMESPACE: Final = 8


def metrics_origin(namespace: str, picker: str) -> str:
    """Return where the Service of an endpoint picker has its metrics, without their path."""
    return f"http://{picker}.{namespace}.svc:{METRICS_PORT}"


class LoadUnknownError(Exception):
    """The endpoint picker does not answer, or not with metrics; the message says why."""


@dataclass(frozen=True, slots=True)
class _Answer:
    load: PoolLoad
    at: float
    """Time of the monotonic clock."""


class LoadReader:
    """Reads the loads of pools."""

    def __init__(self, origin_of: Callable[[str, str], str] = metrics_origin, networks: Sequence[Network] = ()) -> None:
        """Make it; `origin_of` returns where the metrics of an endpoint picker are, by namespace and name.

        `networks` may be connected to although their addresses are special.
        """
        self._origin_of = origin_of
        self._client = MetricsClient("endpoint picker", _MOST_BYTES, networks)
        self._slots: FairSlots[str] = FairSlots(_AT_ONCE, _AT_ONCE_OF_NAMESPACE)
        self._known: BoundedCache[tuple[str, str], _Answer] = BoundedCache(_MOST_POOLS)
        self._asked: BoundedCache[tuple[str, str], float] = BoundedCache(_MOST_POOLS)
        """Endpoint picker → when its load was last asked for, by the monotonic clock."""
        self._problems: BoundedCache[tuple[str, str], str] = BoundedCache(_MOST_POOLS)
        """Endpoint picker → why it does not answer, as it was logged."""

    @property
    def held(self) -> float:
        """Number of the requests that endpoint pickers held when they were last asked, within the last minute; in any thread."""
        since = monotonic() - _COUNTED_SECONDS
        return sum(answer.load.held for answer in self._known.values() if answer.at >= since)

    def unread_for(self, namespace: str, picker: str) -> float:
        """Return for how many seconds nobody has asked for the load at an endpoint picker; at first, since this was first called."""
        now = monotonic()
        asked = self._asked.get((namespace, picker))
        if asked is None:
            self._asked.keep((namespace, picker), now)
            return 0.0
        return now - asked

    async def read(self, namespace: str, picker: str) -> PoolLoad:
        """Return the load at the endpoint picker whose Service is `picker`.

        Raises:
            LoadUnknownError: it cannot be read.
        """
        key = namespace, picker
        self._asked.keep(key, monotonic())
        async with self._slots.of(namespace):
            known = self._known.get(key)
            if known is not None and monotonic() - known.at < _REUSED_SECONDS:
                return known.load
            try:
                load = await self._client.read(self._origin_of(namespace, picker), parse_load)
            except (NoMetricsError, ValueError) as error:
                raise LoadUnknownError(self._told(key, str(error))) from error
            self._known.keep(key, _Answer(load, monotonic()))
            self._problems.drop(key)
            return load

    def _told(self, key: tuple[str, str], problem: str) -> str:
        """Log a problem that was not the last one of that endpoint picker, and return it; an autoscaler asks again every few seconds."""
        if self._problems.get(key) != problem:
            self._problems.keep(key, problem)
            logger.warning("load of endpoint picker %s/%s is not known: %s", *key, printable(problem))
        return problem
