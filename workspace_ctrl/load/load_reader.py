"""Reads the load of a pool from its endpoint picker, when an autoscaler asks for it.

Nothing is read unless asked for, and several questions within a second share an answer. Pickers are untrusted: what is read of an answer is
limited, and only sums leave this process.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Final

import aiohttp

from workspace_ctrl.connections.bounded_connections import beginning
from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.fair_slots import FairSlots
from workspace_ctrl.load.picker_metrics import PoolLoad, parse_load

METRICS_PORT: Final = 9090
_SECONDS: Final = 2.0
_REUSED_SECONDS: Final = 1.0
_COUNTED_SECONDS: Final = 60.0
_MOST_BYTES: Final = 8 << 20
_MOST_POOLS: Final = 4096
_AT_ONCE: Final = 16
_AT_ONCE_OF_NAMESPACE: Final = 8


def metrics_url(namespace: str, picker: str) -> str:
    """Return where the Service of an endpoint picker has its metrics."""
    return f"http://{picker}.{namespace}.svc:{METRICS_PORT}/metrics"


class LoadUnknownError(Exception):
    """The endpoint picker does not answer, or not with metrics; the message says why."""


@dataclass(frozen=True, slots=True)
class _Answer:
    load: PoolLoad
    at: float
    """Time of the monotonic clock."""


class LoadReader:
    """Reads the loads of pools."""

    def __init__(self, url_of: Callable[[str, str], str] = metrics_url) -> None:
        """Make it; `url_of` returns where the metrics of an endpoint picker are, by namespace and name."""
        self._url_of = url_of
        self._slots: FairSlots[str] = FairSlots(_AT_ONCE, _AT_ONCE_OF_NAMESPACE)
        self._known: BoundedCache[tuple[str, str], _Answer] = BoundedCache(_MOST_POOLS)
        self._asked: BoundedCache[tuple[str, str], float] = BoundedCache(_MOST_POOLS)
        """Endpoint picker → when its load was last asked for, by the monotonic clock."""

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
            load = await self._fetch(self._url_of(namespace, picker))
            self._known.keep(key, _Answer(load, monotonic()))
            return load

    async def _fetch(self, url: str) -> PoolLoad:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != HTTPStatus.OK:
                    raise LoadUnknownError(f"{url} answers with {response.status}")
                body = await beginning(response.content, _MOST_BYTES)
            return await asyncio.to_thread(parse_load, body.decode(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LoadUnknownError(f"{url} does not answer: {error or 'no response in time'}") from error
        except ValueError as error:
            raise LoadUnknownError(f"{url} does not answer with metrics: {error}") from error
