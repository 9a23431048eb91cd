"""The probes of the kubelet: liveness (/healthz) and readiness (/readyz)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web


class PortError(Exception):
    """Listening on the port failed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """A response of /readyz."""

    ready: bool
    text: str


@asynccontextmanager
async def serve_health(port: int, running: "asyncio.Task[None]", readiness: Callable[[], Readiness]) -> AsyncIterator[None]:
    """Serve /healthz and /readyz on all addresses while the context lasts; nothing is served if `port` is 0.

    /healthz returns 200 while the task `running` runs; that it responds at all shows that the event loop works.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    if not port:
        yield
        return

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(not running.done(), "the controller has stopped" if running.done() else "ok")

    async def readyz(_request: web.Request) -> web.Response:
        now = readiness()
        return _answer(now.ready, now.text)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
    except OSError as error:
        await runner.cleanup()
        raise PortError(f"--health-port {port}: {error.strerror or error}; use another port, or 0 to disable") from error
    try:
        yield
    finally:
        await runner.cleanup()


def _answer(good: bool, text: str) -> web.Response:  # noqa: FBT001
    return web.Response(status=HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, text=f"{text}\n")
