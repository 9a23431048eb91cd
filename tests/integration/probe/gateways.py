"""Stand-ins for Gateways on loopback, and what probes of them need."""

import asyncio
import json
import socket
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from ipaddress import ip_network

from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import listening
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeTarget
from workspace_ctrl.probe.credentials import Credentials
from workspace_ctrl.probe.trusted_targets import ProbeTrust

KEY = ("ns", "phi")
TOKEN = "very-secret"
ANSWERED, FAILED, NOT_POSSIBLE = ProbeOutcome
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
LOCAL = ProbeTrust(frozenset({"ns/g"}), frozenset({"ns/g"}), networks=LOOPBACK)
"""What an installation sets whose Gateways are on loopback."""


def target(port, /, **fields):
    """The target of a probe at a port of loopback."""
    return ProbeTarget(
        **{"gateway": "ns/g", "scheme": "http", "addresses": ("127.0.0.1",), "port": port, "path": "/ns/phi", **fields}
    )


class Server:
    """A Gateway's stand-in: answers as it is told, and remembers what it was asked."""

    def __init__(self):
        self.status, self.body = 200, json.dumps({"data": [{"id": "phi"}, {"id": "poet"}]})
        self.location = "/elsewhere"
        self.requests = []
        self.led = None
        self.at_once = self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()
        self.free = asyncio.Event()
        """Whether what needs computing is answered."""
        self.free.set()
        self.request_came = asyncio.Event()
        self.port = 0

    async def answer(self, request):
        if self.led is not None and request.path == "/v1/chat/completions":
            model = (await request.json())["model"]
            return web.Response(status=400 if "X-Gateway-Model-Name" not in request.headers and self.led(model) else 404)
        self.requests.append((request.method, request.path, dict(request.headers), await request.text()))
        self.request_came.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.open.wait()
        self.at_once -= 1
        if request.method == "POST" and not (await request.json())["max_tokens"]:
            return web.Response(status=400, text="max_tokens must be at least 1")
        await self.free.wait()
        body = '{"choices": []}' if request.method == "POST" and self.status == HTTPStatus.OK else self.body
        return web.Response(status=self.status, text=body, headers={"Location": self.location})

    async def asked(self, times):
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            self.request_came.clear()
            await self.request_came.wait()

    @asynccontextmanager
    async def served(self, context=None, port=0):
        async with listening(self.answer, port=port, context=context) as self.port:
            yield self

    def target(self, **fields):
        return target(self.port, **fields)


@contextmanager
def tls_listener(context, answer="200 OK", body='{"data": [{"id": "phi"}]}'):
    """A Gateway's stand-in whose TLS is that of OpenSSL on a socket: unlike asyncio's, it sends its alerts. Yields the port."""
    response = f"HTTP/1.1 {answer}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1 << 16)
                secure.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = threading.Thread(target=serve, daemon=True)
        running.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        running.join()


def reading(**credentials):
    async def read():
        return Credentials(**credentials)

    return read


class Told:
    """Counts how often a Workspace was told to look again."""

    def __init__(self):
        self.count = 0
        self.again = asyncio.Event()

    def __call__(self, _key):
        self.count += 1
        self.again.set()

    async def wait(self):
        await asyncio.wait_for(self.again.wait(), WAIT_SECONDS)
        self.again.clear()
