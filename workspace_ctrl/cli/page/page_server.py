"""The HTTP server of the local page: read-only, for whoever has its URL.

Every path begins with a random token. A page of another site that has a name resolve to this machine is refused by its Host header, and
no response may be read, framed or run by other sites. All requests to the cluster are those of the user who started it.
"""

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from workspace_ctrl.cli.page.live_objects import LiveObjects
from workspace_ctrl.cli.page.responses import HEADERS, PageFiles
from workspace_ctrl.cli.page.user_page import PageTexts, UserPage
from workspace_ctrl.kube.client import Client

_INVITATION_SECONDS: Final = 60.0
_SHUTDOWN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the server is started with."""

    address: str = "127.0.0.1"
    """IP address on which it listens."""
    port: int = 0
    """0 for any free one."""
    texts: PageTexts = field(default_factory=PageTexts)


class PageServer:
    """The server of one page."""

    def __init__(self, client: Client, live: LiveObjects, options: PageOptions) -> None:
        self._options = options
        self._token = secrets.token_urlsafe(24)
        self._invitation = ""
        self._port = 0
        self._files = PageFiles()
        page = UserPage(client, live, options.texts)
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(_secure)
        application.router.add_get("/open/{invitation}", self._open)
        application.router.add_get(f"/{self._token}", self._slash)
        application.router.add_get(f"/{self._token}/events", page.events, allow_head=False)
        application.router.add_get(f"/{self._token}/details", page.details, allow_head=False)
        application.router.add_get(f"/{self._token}/history", page.history, allow_head=False)
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
        return self._files.answer(request.match_info["path"])


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


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
