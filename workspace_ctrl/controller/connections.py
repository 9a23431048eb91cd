"""Connections to servers of others, which may send what they like: so much of it is read, and a little at a time."""

import asyncio
import socket
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

_MOST_AROUND: Final = 16 << 10
"""Bytes that are no body: headers, and the frames of chunks, which may hold one byte each."""
_MOST_ANSWERS: Final = 8
"""To one request, interim ones such as 103 Early Hints included: each takes some bytes to send, and objects and time to read."""
_PIECE: Final = 4096
_KERNEL_BUFFER: Final = 16 << 10
"""Bytes, of which Linux makes twice as many: so many are handed over at once, and hold the event loop for as long as they take to read."""


class _BoundedHandler(ResponseHandler):
    """Ends a connection that brings too much."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._received = self._answers = 0

    def data_received(self, data: bytes) -> None:
        for start in range(0, max(len(data), 1), _PIECE):
            if self.exception() is not None:
                return
            piece = data[start : start + _PIECE]
            self._received += len(piece)
            super().data_received(piece)
            body = self._payload.total_bytes if self._payload is not None else 0
            if self._received - body > _MOST_AROUND or self._answers > _MOST_ANSWERS:
                self.set_exception(aiohttp.ClientPayloadError("there is too much around the answer, or too many come"))
                if self.transport is not None:
                    self.transport.abort()

    def feed_data(self, data: Any, size: int = 0) -> None:  # noqa: ANN401 - the base class's own
        self._answers += 1
        super().feed_data(data, size)


class BoundedConnector(aiohttp.TCPConnector):
    """Makes a connection for each request, and bounds what it brings."""

    def __init__(self) -> None:
        super().__init__(force_close=True, ttl_dns_cache=10, socket_factory=_small_socket)
        # The base class knows its own handler only.
        self._factory = partial(_BoundedHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]


def _small_socket(address: Any) -> socket.socket:  # noqa: ANN401 - what getaddrinfo returns
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
    return made
