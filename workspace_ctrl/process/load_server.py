"""Serves the loads of pools to KEDA: GET /load/<namespace>/<endpoint picker>, as JSON.

Every replica serves them, because an answer depends only on the endpoint picker. Clients are not authenticated: they learn four sums.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from workspace_ctrl.load.load_reader import LoadReader, LoadUnknownError
from workspace_ctrl.process.bounded_server import serving

_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_PATH: Final = re.compile(f"/load/(?P<namespace>{_LABEL})/(?P<picker>{_LABEL})")
_JSON: Final = {"Content-Type": "application/json"}


@asynccontextmanager
async def serve_loads(port: int, reader: LoadReader) -> AsyncIterator[None]:
    """Serve loads on all addresses while the context lasts; nothing is served if the port is 0.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    if not port:
        yield
        return

    async def answer(request: web.BaseRequest) -> web.Response:
        found = _PATH.fullmatch(request.path)
        if found is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        try:
            load = await reader.read(found["namespace"], found["picker"])
        except LoadUnknownError as error:
            return web.Response(status=HTTPStatus.BAD_GATEWAY, text=f"{error}\n")
        return web.Response(body=orjson.dumps(load.as_object()), headers=_JSON)

    async with serving(answer, port, "--load-port"):
        yield
