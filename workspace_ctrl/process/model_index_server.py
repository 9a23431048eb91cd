"""Answers the requests that no model takes: the list of models, or an error in the shape of OpenAI's API.

Clients are whoever reaches a Gateway. What they send is read up to a limit, and only for the name of the model in it;
nothing of it is kept.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from workspace_ctrl.model.model_index import INDEX_HEADER
from workspace_ctrl.model_index.listing import Listing, list_body
from workspace_ctrl.model_index.model_index import ModelIndex
from workspace_ctrl.model_index.openai_errors import error_body, model_not_found
from workspace_ctrl.process.bounded_server import serving

_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_MODELS: Final = re.compile(f"(/(?P<namespace>{_LABEL}))?/v1/models/?")
_MODEL: Final = re.compile(f"(/(?P<namespace>{_LABEL}))?/v1/models/(?P<name>.+)")
_MOST_BYTES: Final = 256 << 10
_READ_SECONDS: Final = 2.0
_MOST_READ: Final = 32
"""Bodies that are read at a time, so that all of them need at most 8 MiB; the error of another request names no model."""
_MOST_CONNECTIONS: Final = 256
_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@asynccontextmanager
async def serve_model_index(port: int, index: ModelIndex) -> AsyncIterator[None]:
    """Serve the list on all addresses while the context lasts.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    async with serving(ModelIndexHandler(index).answer, port, "--port", most=_MOST_CONNECTIONS):
        yield


class ModelIndexHandler:
    """Answers requests."""

    def __init__(self, index: ModelIndex) -> None:
        """Make it."""
        self._index = index
        self._reading = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request, which a Gateway forwards."""
        side = self._index.side(request.headers.get(INDEX_HEADER, ""), request.host)
        if side is None:
            return _error(error_body("This address answers what Gateways forward; ask one of them.", "not_found"))
        there = self._index.listing(side)
        if request.method in {"GET", "HEAD"}:
            found = _found(request.path, there)
            if found is not None:
                return web.Response(body=found, headers=_HEADERS)
        asked = _asked(request.path) or await self._model_in(request)
        return _error(model_not_found(asked, request.method, request.path, there))

    async def _model_in(self, request: web.BaseRequest) -> str:
        """Return the model that the body of a request names; empty if that cannot be found out."""
        if request.method != "POST" or (request.content_length or 0) > _MOST_BYTES or self._reading >= _MOST_READ:
            return ""
        self._reading += 1
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return _model_of(await _read(request))
        except TimeoutError:
            return ""
        finally:
            self._reading -= 1


def _found(path: str, there: Listing) -> bytes | None:
    """Return the list, or one model, if that is what `path` asks for; None if not, or if there is no such model."""
    listed = _MODELS.fullmatch(path)
    if listed is not None:
        namespace = listed["namespace"]
        return list_body(there.of_namespace(namespace)) if namespace else there.body
    one = _MODEL.fullmatch(path)
    entries = there.by_id.get(one["name"], ()) if one is not None else ()
    matching = (entry for entry in entries if one is not None and one["namespace"] in {None, entry["owned_by"]})
    entry = next(matching, None)
    return orjson.dumps(entry) if entry is not None else None


def _asked(path: str) -> str:
    one = _MODEL.fullmatch(path)
    return one["name"] if one is not None else ""


async def _read(request: web.BaseRequest) -> bytes:
    """Return the body of a request; empty if it is too large."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            return b""
    return bytes(body)


def _model_of(body: bytes) -> str:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # not JSON, or nested too deeply
        return ""
    model = document.get("model") if isinstance(document, dict) else None
    return model if isinstance(model, str) else ""


def _error(body: bytes) -> web.Response:
    return web.Response(status=HTTPStatus.NOT_FOUND, body=body, headers=_HEADERS)
