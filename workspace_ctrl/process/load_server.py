"""Serves the loads of pools to KEDA: GET /load/<namespace>/<endpoint picker>, as JSON.

Every replica serves them, because an answer depends only on the endpoint picker. Clients are not authenticated: they learn four sums of the
endpoint pickers that ScaledObjects name, and of no other server, nor why one does not answer.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from workspace_ctrl.load.known_pickers import LOAD_PATH
from workspace_ctrl.load.load_reader import LoadReader, LoadUnknownError
from workspace_ctrl.process.bounded_server import serving

_JSON: Final = {"Content-Type": "application/json"}


@asynccontextmanager
async def serve_loads(port: int, reader: LoadReader, is_known: Callable[[str, str], bool | None]) -> AsyncIterator[None]:
    """Serve loads on all addresses while the context lasts; nothing is served if the port is 0.

    `is_known` says of the namespace and the name of an endpoint picker whether its load is to be read; None as long as that is not known.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    if not port:
        yield
        return

    async def answer(request: web.BaseRequest) -> web.Response:
        found = LOAD_PATH.fullmatch(request.path)
        known = is_known(found["namespace"], found["picker"]) if found is not None else False
        if known is None:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="the ScaledObjects have not been read yet\n")
        if found is None or not known:
            return web.Response(status=HTTPStatus.NOT_FOUND, text="no ScaledObject of a controller reads a load here\n")
        try:
            load = await reader.read(found["namespace"], found["picker"])
        except LoadUnknownError:
            return web.Response(
                status=HTTPStatus.BAD_GATEWAY, text="the endpoint picker gives no load; the log of the controller says why\n"
            )
        return web.Response(body=orjson.dumps(load.as_object()), headers=_JSON)

    async with serving(answer, port, "--load-port", cancels=True):
        yield
