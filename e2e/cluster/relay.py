"""A loopback port of the host that leads to a port inside the cluster's network.

Needs no process inside: a socket belongs to the network namespace in which it was created, so one thread that has
joined the cluster's network opens the connections and everything else happens here.
"""

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

from e2e.cluster.processes import join_network

CHUNK = 1 << 18


class Relay:
    """Passes bytes both ways, for any number of connections."""

    def __init__(self, target: int, network: ThreadPoolExecutor) -> None:
        self._target = target
        self._network = network
        self._busy: set[asyncio.Task[None]] = set()
        self.port = 0

    @classmethod
    async def open(cls, pid: int, target: int, network: ThreadPoolExecutor) -> "Relay":
        """Listen on a free port for connections to port `target` in the network of process `pid`."""
        await asyncio.get_running_loop().run_in_executor(network, join_network, pid)
        relay = cls(target, network)
        server = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        relay.port = server.sockets[0].getsockname()[1]
        return relay

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            inside = await loop.run_in_executor(self._network, socket.create_connection, ("127.0.0.1", self._target))
        except OSError:
            writer.close()
            return
        inside_reader, inside_writer = await asyncio.open_connection(sock=inside, limit=CHUNK)
        try:
            await asyncio.gather(_pump(reader, inside_writer), _pump(inside_reader, writer))
        finally:
            inside_writer.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until the end of one direction, then pass on the end, too."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
