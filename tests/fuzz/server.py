"""A Gateway that sends whatever bytes it is told to."""

import asyncio

from workspace_ctrl.model.probe_results import ProbeResult, ProbeTarget
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.settings.process import ProbeMode


class AnsweringServer:
    """Answers every connection with the same bytes, and closes it."""

    def __init__(self, client: ProbeClient) -> None:
        self._client = client
        self._answer = b""
        self._port = 0

    @classmethod
    async def start(cls) -> "AnsweringServer":
        """Serve on a free port of this machine, as long as the event loop runs."""
        running = cls(ProbeClient(ProbeMode.MODELS))
        server = await asyncio.start_server(running._serve, "127.0.0.1", 0)
        running._port = server.sockets[0].getsockname()[1]
        return running

    async def probe(self, answer: bytes) -> ProbeResult:
        """Return the result of a probe that is answered so."""
        self._answer = answer
        target = ProbeTarget("gateways/main", "http", ("127.0.0.1",), self._port, "/default/phi", model="phi")
        return await self._client.ask(target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()
