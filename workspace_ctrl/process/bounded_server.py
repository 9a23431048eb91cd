"""HTTP server for unauthenticated clients: on the event loop, with limits of the number and the age of connections.

A client that sends slowly, or keeps connections open, only loses them: the oldest one is closed for a new one, so that there is always room
for the kubelet and for Prometheus, whose requests take milliseconds.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler


class _OurErrors(logging.Filter):
    """Drops errors of clients, so that they cannot fill the log: an invalid request gets a 400, and is no error of the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is of an error of the server."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


OUR_ERRORS: Final = logging.getLogger(__name__)
"""Logger for servers of aiohttp, which would log each invalid request with its traceback."""
OUR_ERRORS.addFilter(_OurErrors())
MOST_CONNECTIONS: Final = 64
LONGEST_SECONDS: Final = 10.0
"""After this time a connection is closed, whatever it is used for: the time-out of a scrape, and twice that of the kubelet."""
_HANDSHAKE_SECONDS: Final = 5.0
_SHUTDOWN_SECONDS: Final = 1.0

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class PortError(Exception):
    """Listening on the port failed; the message says why and what to do."""


class BoundedServer(web.Server):
    """Answers one request per connection, and aborts connections beyond the limits; does not decompress what is sent."""

    def __init__(
        self, handler: Handler, most: int = MOST_CONNECTIONS, seconds: float = LONGEST_SECONDS, *, cancels: bool = False
    ) -> None:
        """Limit connections to `most` and to `seconds`; with `cancels`, a handler is cancelled when its client has gone."""
        super().__init__(self._answered, access_log=None, logger=OUR_ERRORS, handler_cancellation=cancels, auto_decompress=False)
        self._answer = handler
        self._most = most
        self._seconds = seconds
        self._open: dict[RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}
        """Connections, the oldest first, and the end of each."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count a connection."""
        super().connection_made(handler, transport)
        if len(self._open) >= self._most:
            self._abort(next(iter(self._open)))
        self._open[handler] = transport, asyncio.get_running_loop().call_later(self._seconds, self._abort, handler)

    def exempt(self, request: web.BaseRequest) -> None:
        """Take the connection of a request out of the limits: its handler is known, and limits how many of them there are."""
        if request.protocol in self._open:
            self._open.pop(request.protocol)[1].cancel()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        if handler in self._open:
            self._open.pop(handler)[1].cancel()

    def _abort(self, handler: RequestHandler) -> None:
        """Abort a connection: closing it would wait until the client has read what is sent."""
        transport, timer = self._open.pop(handler)
        timer.cancel()
        transport.abort()

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer(request)
        response.force_close()
        return response


@asynccontextmanager
async def serving(
    handler: Handler,
    port: int,
    option: str,
    context: ssl.SSLContext | None = None,
    *,
    most: int = MOST_CONNECTIONS,
    cancels: bool = False,
) -> AsyncIterator[None]:
    """Serve on all addresses while the context lasts; with TLS if there is a `context`.

    `option` sets the port, for messages; `most` is the number of connections. With `cancels`, a handler ends with its connection, so that
    there are no more of those that wait for others than connections.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    server = BoundedServer(handler, most, cancels=cancels)
    handshake = _HANDSHAKE_SECONDS if context is not None else None
    try:
        listening = await asyncio.get_running_loop().create_server(
            server, port=port, ssl=context, ssl_handshake_timeout=handshake, reuse_address=True
        )
    except OSError as error:
        raise PortError(f"{option} {port}: {error.strerror or error}; use another port, or 0 to disable") from error
    try:
        yield
    finally:
        listening.close()
        await server.shutdown(_SHUTDOWN_SECONDS)
