"""Connections to untrusted servers: checks their addresses, and limits how much is read of a response, and how much at a time."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

_MOST_AROUND: Final = 16 << 10
"""Bytes apart from the body: headers, and the framing of chunks, which may be one byte long each."""
_SMALLEST_CHUNK: Final = 896
"""Bytes of the chunks of a long body, on average: each costs seven more, and servers write chunks of 2 or 4 KiB."""
_MOST_ANSWERS: Final = 8
"""Responses to one request, interim ones such as 103 Early Hints included: they are cheap to send, but cost memory and time to read."""
_PIECE: Final = 4096
_LOOKING_UP: Final = ThreadPoolExecutor(max_workers=32, thread_name_prefix="names")
_KERNEL_BUFFER: Final = 16 << 10
"""Bytes, which Linux doubles: the most that is received at once, and so the longest time for which the event loop is blocked."""


class _ReadingSocket(socket.socket):
    """A socket on which what a server sent before it closed the connection is read, also where the request is not sent any more.

    A server that rejects a client says why and closes the connection, without reading what the client is sending just then. The system
    reports that first for the request, upon which asyncio would close the connection without having read the reason.
    """

    def send(self, data: Any, flags: int = 0, /) -> int:  # noqa: ANN401 - type of the base class
        try:
            return super().send(data, flags)
        except (ConnectionResetError, BrokenPipeError):
            return len(memoryview(data))  # reading ends with what is left, or with the same error


class _BoundedHandler(ResponseHandler):
    """Aborts a connection that exceeds the limits."""

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
            if self._received - body > _MOST_AROUND + body * 7 // _SMALLEST_CHUNK or self._answers > _MOST_ANSWERS:
                self.set_exception(aiohttp.ClientPayloadError("response headers too large, or too many responses"))
                if self.transport is not None:
                    self.transport.abort()

    def feed_data(self, data: Any, size: int = 0) -> None:  # noqa: ANN401 - type of the base class
        self._answers += 1
        super().feed_data(data, size)


class _Resolver(AbstractResolver):
    """Looks names up, which others choose, in threads of its own: without an answer, a thread is taken for half a minute."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(_LOOKING_UP, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Do nothing: the threads are shared."""


class BoundedConnector(aiohttp.TCPConnector):
    """Opens a connection for each request, and limits what is received."""

    def __init__(self, check: Callable[[str, int], None]) -> None:
        """Make it; `check` raises an OSError for an address and port that must not be connected to.

        It is called with the address that the socket connects to, so a host name cannot get another one after the check.
        """
        super().__init__(force_close=True, ttl_dns_cache=10, socket_factory=partial(_small_socket, check), resolver=_Resolver())
        # The type of the base class allows only its own handler.
        self._factory = partial(_BoundedHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]


async def beginning(stream: aiohttp.StreamReader, most: int) -> bytes:
    """Return at most `most` bytes, without waiting for more."""
    body = bytearray()
    while len(body) < most:
        piece = await stream.readany()
        if not piece:
            break
        body += piece
    return bytes(body[:most])


def _small_socket(check: Callable[[str, int], None], address: Any) -> socket.socket:  # noqa: ANN401 - what getaddrinfo returns
    family, kind, protocol, _, (host, port, *_) = address
    check(host, port)
    made = _ReadingSocket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
    return made
