"""Reads metrics of endpoint pickers and model servers, which are untrusted.

They are in namespaces of others, and a Service may lead anywhere (ExternalName), so special addresses are not connected to, after name
resolution. What is read is limited, not decompressed, and parsed in threads that nothing else uses: however long that takes, neither the
event loop nor the token of a request to the API server waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp

from workspace_ctrl.connections.bounded_connections import BoundedConnector, beginning
from workspace_ctrl.connections.special_addresses import AddressNotAllowedError, Network, special_kind
from workspace_ctrl.connections.url_paths import url_at

T = TypeVar("T")

_SECONDS: Final = 2.0
"""Timeout of a response."""
_PATH: Final = "/metrics"
_AS_IT_IS: Final = "identity"
_PARSING: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="metrics")


class NoMetricsError(Exception):
    """A server does not answer, or not with metrics; the message says why."""


@dataclass(frozen=True, slots=True)
class MetricsClient:
    """Reads metrics."""

    what: str
    """What has them, for messages, such as pod."""
    most_bytes: int
    """Largest response."""
    networks: Sequence[Network] = ()
    """Networks that may be connected to although their addresses are special."""

    async def read(self, origin: str, parse: Callable[[str], T]) -> T:
        """Return what `parse` makes of the metrics at `origin`, such as http://10.0.0.1:8000.

        Raises:
            NoMetricsError: there is no response with metrics.
            ValueError: `parse` raises it, or the response is too large.
        """
        page = await self._page(origin)
        if len(page) > self.most_bytes:
            raise ValueError(f"its metrics have more than {self.most_bytes >> 20} MiB")
        return await asyncio.get_running_loop().run_in_executor(_PARSING, lambda: parse(page.decode(errors="replace")))

    async def _page(self, origin: str) -> bytes:
        url = url_at(origin, _PATH)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=_SECONDS), connector=BoundedConnector(self._check), auto_decompress=False
                ) as session,
                session.get(url, allow_redirects=False, headers={"Accept-Encoding": _AS_IT_IS}) as response,
            ):
                if response.status != HTTPStatus.OK:
                    raise NoMetricsError(f"{url} answers with {response.status}")
                if response.headers.get("Content-Encoding", _AS_IT_IS).lower() != _AS_IT_IS:
                    raise NoMetricsError(f"{url} answers with compressed metrics, although that was not asked for")
                return await beginning(response.content, self.most_bytes + 1)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoMetricsError(f"{url} does not answer: {error or 'no response in time'}") from error

    def _check(self, address: str, _port: int) -> None:
        kind = special_kind(address, self.networks)
        if kind:
            raise AddressNotAllowedError(f"the {self.what} has a {kind} address")
