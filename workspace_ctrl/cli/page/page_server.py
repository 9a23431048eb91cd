"""The HTTP server of the page: local, read-only, for whoever has its URL.

Every path begins with a random token. A page of another site that has a name resolve to this machine is refused by its Host header, and
no response may be read, framed or run by other sites. All requests to the cluster are those of the user who started it.
"""

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from workspace_ctrl.cli.page.details import details_of, history_of
from workspace_ctrl.cli.page.followed_kinds import PAGE_KINDS
from workspace_ctrl.cli.page.live_objects import LiveObjects, Subscriber
from workspace_ctrl.cli.page.page_object import PageObject, parse_page_object
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Server": "workspace-ctrl",
}
"""Of every response."""
_STATIC: Final = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "list.js": ("list.js", "text/javascript"),
    "details.js": ("details.js", "text/javascript"),
    "elements.js": ("elements.js", "text/javascript"),
    "chain.js": ("chain.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path → file in `static`, and its type."""
_MOST_STREAMS: Final = 16
"""Browsers that follow the changes at once."""
_MOST_READS: Final = 4
"""Objects that are read at once; each takes some ten requests to the API server."""
_PAUSE_SECONDS: Final = 0.1
"""Shortest interval of two updates of one browser."""
_PING_SECONDS: Final = 10.0
_INVITATION_SECONDS: Final = 60.0
_SHUTDOWN_SECONDS: Final = 0.1

Reader = Callable[[Client, Mapping[str, Any], PageObject], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the server is started with."""

    address: str = "127.0.0.1"
    """IP address on which it listens."""
    port: int = 0
    """0 for any free one."""
    title: str = ""
    """Which cluster and namespaces are shown."""
    commands: str = ""
    """Options that choose the cluster in the commands that the page shows; empty for the default."""


class PageServer:
    """The server of one page."""

    def __init__(self, client: Client, live: LiveObjects, options: PageOptions) -> None:
        self._client = client
        self._live = live
        self._options = options
        self._token = secrets.token_urlsafe(24)
        self._invitation = ""
        self._streams = 0
        self._reads = asyncio.Semaphore(_MOST_READS)
        self._port = 0
        self._contents = {path: (_read(file), type_) for path, (file, type_) in _STATIC.items()}
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(_secure)
        application.router.add_get("/open/{invitation}", self._open)
        application.router.add_get(f"/{self._token}", self._slash)
        application.router.add_get(f"/{self._token}/events", self._events, allow_head=False)
        application.router.add_get(f"/{self._token}/details", self._details, allow_head=False)
        application.router.add_get(f"/{self._token}/history", self._history, allow_head=False)
        application.router.add_get(f"/{self._token}/{{path:.*}}", self._static)
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )

    @property
    def url(self) -> str:
        """The URL of the page, with its token."""
        return f"{self._origin}/{self._token}/"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is in use, or the process may not listen on it.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.address, self._options.port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """End all requests, and stop listening."""
        await self._runner.cleanup()

    def invite(self) -> str:
        """Return a URL that leads to the page once, within a minute.

        It is for the command line of a browser, which other users of this machine can see.
        """
        self._invitation = secrets.token_urlsafe(24)
        asyncio.get_running_loop().call_later(_INVITATION_SECONDS, self._withdraw, self._invitation)
        return f"{self._origin}/open/{self._invitation}"

    def _withdraw(self, invitation: str) -> None:
        if self._invitation == invitation:
            self._invitation = ""

    @property
    def _origin(self) -> str:
        address = self._options.address
        return f"http://{f'[{address}]' if ':' in address else address}:{self._port}"

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not is_own_host(request.headers.get("Host", ""), self._options.address):
            raise web.HTTPForbidden(text="this page is served for localhost and IP addresses only\n")
        first = request.path.split("/")[1]
        if first != "open" and not hmac.compare_digest(first.encode(), self._token.encode()):
            raise web.HTTPNotFound(text="there is nothing here; open the URL that workspace-ctrl ui printed\n")
        return await handler(request)

    async def _open(self, request: web.Request) -> web.StreamResponse:
        given, self._invitation, expected = request.match_info["invitation"], "", self._invitation
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            raise web.HTTPNotFound(text="this link was used already, or is too old; open the URL that workspace-ctrl ui printed\n")
        raise web.HTTPFound(f"/{self._token}/")

    async def _slash(self, _request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"/{self._token}/")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        found = self._contents.get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound(text="there is no such file\n")
        return web.Response(body=found[0], content_type=found[1], charset="utf-8")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send all objects, and then what changes, as server-sent events."""
        if self._streams >= _MOST_STREAMS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_STREAMS} browsers follow this page already; close one\n")
        self._streams += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            with self._live.subscriber() as subscriber, suppress(ConnectionResetError):
                await response.write(_event("hello", {"title": self._options.title}))
                await _send(response, subscriber)
        finally:
            self._streams -= 1
        return response

    async def _details(self, request: web.Request) -> web.StreamResponse:
        options, others = self._options.commands, self._live.objects.values()
        return await self._read(request, lambda client, item, found: details_of(client, item, found, options, others))

    async def _history(self, request: web.Request) -> web.StreamResponse:
        return await self._read(request, lambda client, item, found: history_of(client, item, found, self._live.seen(found.id)))

    async def _read(self, request: web.Request, read: Reader) -> web.StreamResponse:
        """Answer with what `read` makes of the object that the request names, which must be on the page."""
        found = self._live.objects.get(request.query.get("id", ""))
        if found is None:
            return _json({"error": "the object does not exist any more"}, HTTPStatus.NOT_FOUND)
        resource = next(resource for resource in PAGE_KINDS if resource.kind == found.kind)
        try:
            async with self._reads:
                item = await self._client.find(resource, found.namespace, found.name)
                if item is None:
                    return _json({"error": f"{found.kind} {found.namespace}/{found.name} was deleted"}, HTTPStatus.NOT_FOUND)
                return _json(await read(self._client, item, parse_page_object(item, found.kind)))
        except ApiError as error:
            return _json({"error": f"{found.kind} {found.namespace}/{found.name} cannot be read: {error}"}, HTTPStatus.BAD_GATEWAY)


def is_own_host(host: str, address: str) -> bool:
    """Whether a Host header names this machine as no other site can: as localhost, or by an IP address.

    `address` is that on which the server listens; if that is a loopback address, others are refused.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        named = ipaddress.ip_address(name)
    except ValueError:
        return False
    return named.is_loopback or not ipaddress.ip_address(address).is_loopback


async def _send(response: web.StreamResponse, subscriber: Subscriber) -> None:
    while True:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                update = await subscriber.next_update()
        except TimeoutError:
            await response.write(b"event: ping\ndata: {}\n\n")
            continue
        await response.write(_event("update", update))
        if update["isComplete"]:
            await asyncio.sleep(_PAUSE_SECONDS)


def _event(name: str, document: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(document))


def _json(document: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


def _read(file: str) -> bytes:
    return (files(__package__) / "static" / file).read_bytes()


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
