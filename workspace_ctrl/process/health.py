"""The probes of the kubelet: liveness (/healthz) and readiness (/readyz)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from workspace_ctrl.process.bounded_server import serving


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

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/healthz":
            return _answer(Readiness(not running.done(), "the controller has stopped" if running.done() else "ok"))
        return _answer(readiness()) if request.path == "/readyz" else web.Response(status=HTTPStatus.NOT_FOUND)

    async with serving(answer, port, "--health-port"):
        yield


def _answer(now: Readiness) -> web.Response:
    return web.Response(status=HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE, text=f"{now.text}\n")
