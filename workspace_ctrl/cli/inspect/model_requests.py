"""Requests to a model: directly to its URL, or through the API server's proxy where the Gateway cannot be reached from here."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from workspace_ctrl.connections.url_paths import check_path
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.proxy import environment_proxy
from workspace_ctrl.kube.connection import Connection

_CONNECT_SECONDS: Final = 3.0
_SILENCE_SECONDS: Final = 300.0
_POD_HEADERS: Final = ("x-inference-pod", "x-went-into-resp-headers")
_DATA: Final = "data:"
_DONE: Final = "[DONE]"
_SERVICE: Final = re.compile(r"([a-z0-9][-a-z0-9]{0,62})\.([a-z0-9][-a-z0-9]{0,62})\.svc(?:\.[a-z0-9.-]{1,253})?\Z")
"""Host name of a Service: its name and its namespace."""
_LONGEST_ERROR: Final = 500
_LONGEST_EVENT: Final = 1 << 20


class ModelRequestError(Exception):
    """The model did not answer; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way to the model."""

    url: str
    by_api_server: bool = False

    def __str__(self) -> str:
        return f"{self.url}{' (through the API server)' if self.by_api_server else ''}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer."""

    text: str
    pod: str = ""


def proxied(internal_url: str, server: str) -> Route | None:
    """Return the way through the API server's proxy to a Service, of which `internal_url` is a URL; None if it is that of none.

    The URL is that of a status, which others may have written, and the request has the user's credentials: nothing in it may lead to
    another path of the API server than that of the Service.
    """
    try:
        parts = urlsplit(internal_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        check_path(parts.path)
    except ValueError:
        return None
    service = _SERVICE.match(parts.hostname or "")
    if service is None:
        return None
    name, namespace = service.groups()
    named = f"https:{name}:{port}" if parts.scheme == "https" else f"{name}:{port}"
    return Route(f"{server}/api/v1/namespaces/{namespace}/services/{named}/proxy{parts.path}", by_api_server=True)


async def reachable(routes: Sequence[Route], connection: Connection) -> Route:
    """Return the first way on which anything answers.

    Raises:
        ModelRequestError: none.
    """
    reasons = []
    for route in routes:
        try:
            async with _session(route, connection) as session, session.get(f"{route.url}/v1/models", allow_redirects=False):
                return route
        except (aiohttp.ClientError, TimeoutError, OSError, ConnectionConfigError) as error:
            reasons.append(f"{route}: {error or type(error).__name__}")
    raise ModelRequestError(f"the Gateway cannot be reached from here: {'; '.join(reasons)}")


async def answer(route: Route, connection: Connection, model: str, messages: Sequence[Mapping[str, str]]) -> AsyncIterator[Piece]:
    """Yield the pieces of the model's answer, as they come.

    Raises:
        ModelRequestError: there is no answer, or it breaks off.
    """
    body = {"model": model, "messages": list(messages), "stream": True}
    try:
        async with (
            _session(route, connection) as session,
            session.post(f"{route.url}/v1/chat/completions", json=body, allow_redirects=False) as response,
        ):
            if response.status != HTTPStatus.OK:
                words = (await response.content.read(_LONGEST_ERROR)).decode(errors="replace")
                raise ModelRequestError(f"{route} answers {response.status}: {words}")
            pod = next((response.headers[name] for name in _POD_HEADERS if name in response.headers), "")
            yield Piece("", pod)
            async for text in _deltas(response):
                yield Piece(text)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ModelRequestError(f"{route}: {error or type(error).__name__}") from error


@asynccontextmanager
async def _session(route: Route, connection: Connection) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the session of a way: only the API server gets the user's credentials."""
    if route.by_api_server:
        yield connection.session
        return
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, proxy=environment_proxy(route.url) or None) as session:
        yield session


async def _deltas(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the texts of a stream of events, or that of an answer in one piece."""
    if "event-stream" not in response.headers.get("Content-Type", ""):
        yield _text(await response.read(), "message")
        return
    buffer = b""
    async for chunk in response.content.iter_any():
        *lines, buffer = (buffer + chunk).split(b"\n")
        if len(buffer) > _LONGEST_EVENT:
            raise ModelRequestError("an event of the answer is too long")
        for line in lines:
            content = line.decode(errors="replace").strip()
            if content.startswith(_DATA) and (data := content.removeprefix(_DATA).strip()) != _DONE:
                yield _text(data.encode(), "delta")


def _text(document: bytes, part: str) -> str:
    """Return the text of the first choice; an event without one, such as that of the usage, is empty."""
    try:
        found: Any = json.loads(document)
    except (ValueError, RecursionError):
        raise ModelRequestError("the answer is not JSON") from None
    try:
        return str(found["choices"][0][part].get("content") or "")
    except (LookupError, TypeError, AttributeError):
        return ""
