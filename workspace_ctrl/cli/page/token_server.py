"""The HTTP server of the page in a cluster: read-only, each user with his own token, which comes with each request.

The token is in the Authorization header: a proxy that authenticates users sets it, or the page, into which the user has pasted it. It is in
no URL, cookie, log or file. A page of another site cannot send it; where a proxy adds it to whatever a browser sends, requests that another
site has caused are refused, and no response may be read, framed or run by other sites.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from workspace_ctrl.cli.page.responses import FILES, PageFiles, document, plain
from workspace_ctrl.cli.page.token_session import TokenRefusedError
from workspace_ctrl.cli.page.token_sessions import BusyError, TokenSessions
from workspace_ctrl.cli.page.user_page import UserPage
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.process.bounded_server import BoundedServer

_MOST_CONNECTIONS: Final = 128
"""Connections that send no events; for more, the oldest is closed."""
_LONGEST_SECONDS: Final = 60.0
"""After this time such a connection is closed."""
_HANDSHAKE_SECONDS: Final = 5.0
_SHUTDOWN_SECONDS: Final = 1.0
_TOKEN: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,16384}=*)", re.IGNORECASE)
_NAMESPACE: Final = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_PROXY: Final = re.compile("/api/v1/(proxy/|namespaces/[^/]+/(services|pods)/[^/]+/proxy(/|$))")
_NOBODY: Final = (
    "no token came with the request; paste one of yours into the page (kubectl create token NAME, or that of your login), or reach "
    "the page through a proxy that signs you in and sends your token"
)
_THROUGH_API_SERVER: Final = (
    "This page cannot be used through the API server's proxy (kubectl proxy): it removes tokens, and shows all Services as one site, whose "
    "pages could read each other. Use: kubectl port-forward\n"
)

Handler = Callable[[UserPage, web.BaseRequest], Awaitable[web.StreamResponse]]
_HANDLERS: Final[dict[str, Handler]] = {
    "events": UserPage.events,
    "details": UserPage.details,
    "history": UserPage.history,
}


class TokenServer:
    """The server of the pages of all users."""

    def __init__(self, sessions: TokenSessions) -> None:
        self._sessions = sessions
        self._files = PageFiles()
        self._listening: asyncio.Server | None = None
        self._server = BoundedServer(self.answer, _MOST_CONNECTIONS, _LONGEST_SECONDS, cancels=True)

    async def listen(self, address: str | None, port: int, context: ssl.SSLContext | None = None) -> int:
        """Listen on an address, or on all; with TLS if there is a `context`. Return the port.

        Raises:
            OSError: the port is in use, or the process may not listen on it.
        """
        handshake = _HANDSHAKE_SECONDS if context is not None else None
        self._listening = await asyncio.get_running_loop().create_server(
            self._server, address, port, ssl=context, ssl_handshake_timeout=handshake, reuse_address=True
        )
        return int(self._listening.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and end all pages and connections."""
        if self._listening is not None:
            self._listening.close()
        await self._sessions.close()
        await self._server.shutdown(_SHUTDOWN_SECONDS)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if refusal := _refusal(request):
            return refusal
        path = request.path.removeprefix("/")
        if path == "healthz":
            return plain("ok\n", HTTPStatus.OK)
        handler = _HANDLERS.get(path)
        return self._files.answer(path) if handler is None else await self._answer_user(request, handler)

    async def _answer_user(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        """Answer from the page of the user whose token came with the request."""
        token, namespace = token_of(request), request.query.get("namespace", "")
        if not token:
            return _unauthorized(_NOBODY)
        if namespace and not _NAMESPACE.fullmatch(namespace):
            return document({"error": "this cannot be the name of a namespace"}, HTTPStatus.BAD_REQUEST)
        try:
            page = await self._sessions.page(token, namespace)
        except TokenRefusedError as error:
            return _unauthorized(str(error))
        except BusyError as error:
            return document({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
        except ApiError as error:
            return document({"error": f"the API server cannot be reached: {error}"}, HTTPStatus.BAD_GATEWAY)
        if handler is UserPage.events:
            self._server.exempt(request)
        return await handler(page, request)


def token_of(request: web.BaseRequest) -> str:
    """Return the token of the only Authorization header of a request; empty if there is none, or another than a token."""
    headers = request.headers.getall("Authorization", [])
    found = _TOKEN.fullmatch(headers[0].strip()) if len(headers) == 1 else None
    return found[1] if found is not None else ""


def _refusal(request: web.BaseRequest) -> web.Response | None:
    """Return the answer to a request that is refused whoever sends it; None for others."""
    if request.method != "GET":
        return plain("this page is read-only\n", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
    if _SERVICE_PROXY.match(urlsplit(request.headers.get("X-Forwarded-Uri", "")).path):
        return plain(_THROUGH_API_SERVER, HTTPStatus.FORBIDDEN)
    if _is_of_other_site(request):
        return plain("this page is not for other sites\n", HTTPStatus.FORBIDDEN)
    return None


def _is_of_other_site(request: web.BaseRequest) -> bool:
    """Whether a browser says that another site has caused the request; a link to the page itself, which shows nothing yet, is not one."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host", ""):
        return True
    is_link = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.path.removeprefix("/") in FILES
    return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"} and not is_link


def _unauthorized(words: str) -> web.Response:
    response = document({"error": words, "needsToken": True}, HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
