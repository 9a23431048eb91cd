"""A proxy on loopback between a client and an API server, which misbehaves on request.

It forwards every request, counts them, and asks a rule what to do to each. Open watches can be broken in the ways in which networks
and API servers break them.
"""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from e2e.waiting import WAIT_SECONDS

_HOP_HEADERS = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})
_GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}


@dataclass(frozen=True)
class Call:
    """A request on its way."""

    number: int
    """Place among all requests, watches left out for writes' sake: a watch has the number of the request before it."""
    method: str
    path: str
    query: dict[str, str]

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def is_streamed_list(self) -> bool:
        return self.query.get("sendInitialEvents") == "true"

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class Answer:
    """An answer that the proxy gives in the API server's stead."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """The connection is torn down; with `after`, once the API server has carried the request out."""

    after: bool = False


Fault = Answer | Reset | None
Rule = Callable[[Call], Fault]


def no_fault(_call: Call) -> Fault:
    """Let everything pass."""
    return None


class FaultProxy:
    """The proxy of one API server; made by `serving` and `in_thread`."""

    def __init__(self, server: str, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._watches: set[_Watch] = set()
        self._loop = asyncio.get_running_loop()
        self.url = ""
        self.rule: Rule = no_fault
        self.calls: list[Call] = []
        """All requests so far, oldest first."""

    def cut_watches(self) -> int:
        """Reset the connections of all open watches; return how many there were."""
        return self._on_watches(_Watch.reset)

    def expire_watches(self) -> int:
        """Tell all open watches that their resource version is too old."""
        return self._on_watches(_Watch.expire)

    def mute_watches(self) -> int:
        """Let all open watches stay open and say nothing more."""
        return self._on_watches(_Watch.mute)

    def _on_watches(self, action: Callable[["_Watch"], None]) -> int:
        watches = list(self._watches)
        for watch in watches:
            self._loop.call_soon_threadsafe(action, watch)
        return len(watches)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultProxy"]:
        """Serve on a free port."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        application = web.Application(client_max_size=1 << 24)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            try:
                yield self
            finally:
                self.cut_watches()
                await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        number = sum(not call.is_watch for call in self.calls)
        call = Call(number, request.method, request.path, query)
        self.calls.append(call)
        fault = self.rule(call)
        if isinstance(fault, Answer):
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "fault", "code": fault.status}
            return web.json_response(status, status=fault.status, headers=fault.headers)
        if isinstance(fault, Reset) and not fault.after:
            return _torn(request)
        with suppress(aiohttp.ClientError, ConnectionError):
            return await self._forward(request, call, fault)
        return _torn(request)

    async def _forward(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
        url = self._server + request.raw_path
        body = await request.read()
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.request(request.method, url, headers=headers, data=body or None, timeout=timeout) as upstream:
            passed = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_HEADERS}
            if call.is_watch and upstream.status == 200:
                response = web.StreamResponse(status=upstream.status, headers=passed)
                await response.prepare(request)
                await self._forward_watch(request, response, upstream)
                return response
            answer = await upstream.read()
        if isinstance(fault, Reset):
            return _torn(request)
        return web.Response(status=upstream.status, headers=passed, body=answer)

    async def _forward_watch(self, request: web.Request, response: web.StreamResponse, upstream: aiohttp.ClientResponse) -> None:
        watch = _Watch(request, response)
        self._watches.add(watch)
        try:
            async for chunk in upstream.content.iter_any():
                if watch.ended.is_set():
                    break
                if not watch.muted:
                    await response.write(chunk)
        finally:
            self._watches.discard(watch)


class _Watch:
    """An open watch."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self.muted = False
        self.ended = asyncio.Event()
        self._task = asyncio.current_task()
        self._closing: asyncio.Task[None] | None = None

    def reset(self) -> None:
        _torn(self._request)
        if self._task is not None:
            self._task.cancel()

    def mute(self) -> None:
        self.muted = True

    def expire(self) -> None:
        self.muted = True
        self._closing = asyncio.ensure_future(self._expire())

    async def _expire(self) -> None:
        with suppress(ConnectionError):
            await self._response.write(json.dumps({"type": "ERROR", "object": _GONE}).encode() + b"\n")
            await self._response.write_eof()
        self.reset()


def _torn(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _upstream(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return cluster["server"], ssl.create_default_context(cadata=authority)


@asynccontextmanager
async def serving(kubeconfig: Path) -> AsyncIterator[FaultProxy]:
    """Serve a proxy of a kubeconfig's API server in the running event loop."""
    async with FaultProxy(*_upstream(kubeconfig)).running() as proxy:
        yield proxy


@contextmanager
def in_thread(kubeconfig: Path) -> Iterator[FaultProxy]:
    """Serve a proxy of a kubeconfig's API server in a thread of its own."""
    started: list[FaultProxy] = []
    is_up, end = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(kubeconfig) as proxy:
            started.append(proxy)
            is_up.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fault proxy", daemon=True)
    thread.start()
    assert is_up.wait(WAIT_SECONDS)
    try:
        yield started[0]
    finally:
        end.set()
        thread.join(WAIT_SECONDS)


def kubeconfig_through(proxy: FaultProxy, kubeconfig: Path, folder: Path) -> Path:
    """Write a kubeconfig like the given one that leads through the proxy, and return its path."""
    document = yaml.safe_load(kubeconfig.read_text())
    document["clusters"][0]["cluster"] = {"server": proxy.url}
    path = folder / f"{kubeconfig.stem}-through-proxy.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
