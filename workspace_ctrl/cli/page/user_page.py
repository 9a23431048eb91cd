"""What one user sees, and the requests of his browsers: all that changes, the details of an object, and its history."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from workspace_ctrl.cli.page.details import details_of, history_of
from workspace_ctrl.cli.page.followed_kinds import PAGE_KINDS
from workspace_ctrl.cli.page.live_objects import LiveObjects, PageEndedError, Subscriber
from workspace_ctrl.cli.page.page_object import PageObject, parse_page_object
from workspace_ctrl.cli.page.responses import document, event, plain, stream
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError

MOST_STREAMS: Final = 16
"""Browsers of a user that follow the changes at once."""
_MOST_READS: Final = 4
"""Objects that are read at once; each takes some ten requests to the API server."""
_PAUSE_SECONDS: Final = 0.1
"""Shortest interval of two updates of one browser."""
_PING_SECONDS: Final = 10.0

Reader = Callable[[Client, Mapping[str, Any], PageObject], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class PageTexts:
    """What a page says of itself."""

    title: str = ""
    """Which cluster and namespaces are shown."""
    commands: str = ""
    """Options that choose the cluster in the commands that the page shows; empty for the default."""
    has_token: bool = False
    """Whether the user came with a token, so that the page can ask for another one, and for a namespace."""


class UserPage:
    """The page of one user: all requests to the cluster are made with his client."""

    def __init__(self, client: Client, live: LiveObjects, texts: PageTexts) -> None:
        self._client = client
        self._live = live
        self._texts = texts
        self._streams = 0
        self._reads = asyncio.Semaphore(_MOST_READS)

    async def events(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send all objects, and then what changes, as server-sent events."""
        if self._streams >= MOST_STREAMS:
            return plain(f"{MOST_STREAMS} browsers follow this page already; close one\n", HTTPStatus.SERVICE_UNAVAILABLE)
        self._streams += 1
        try:
            response = stream()
            await response.prepare(request)
            with self._live.subscriber() as subscriber, suppress(ConnectionResetError):
                await response.write(event("hello", {"title": self._texts.title, "hasToken": self._texts.has_token}))
                await _send(response, subscriber)
        finally:
            self._streams -= 1
        return response

    async def details(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the chain of an object and what is known of it."""
        options, others = self._texts.commands, self._live.objects.values()
        return await self._read(request, lambda client, item, found: details_of(client, item, found, options, others))

    async def history(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with what has happened to an object."""
        return await self._read(request, lambda client, item, found: history_of(client, item, found, self._live.seen(found.id)))

    async def _read(self, request: web.BaseRequest, read: Reader) -> web.StreamResponse:
        """Answer with what `read` makes of the object that the request names, which must be on the page."""
        found = self._live.objects.get(request.query.get("id", ""))
        if found is None:
            return document({"error": "the object does not exist any more"}, HTTPStatus.NOT_FOUND)
        resource = next(resource for resource in PAGE_KINDS if resource.kind == found.kind)
        try:
            async with self._reads:
                item = await self._client.find(resource, found.namespace, found.name)
                if item is None:
                    return document({"error": f"{found.kind} {found.namespace}/{found.name} was deleted"}, HTTPStatus.NOT_FOUND)
                return document(await read(self._client, item, parse_page_object(item, found.kind)))
        except ApiError as error:
            words = f"{found.kind} {found.namespace}/{found.name} cannot be read: {error}"
            return document({"error": words}, HTTPStatus.BAD_GATEWAY)


async def _send(response: web.StreamResponse, subscriber: Subscriber) -> None:
    while True:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                update = await subscriber.next_update()
        except TimeoutError:
            await response.write(event("ping", {}))
            continue
        except PageEndedError as ended:
            await response.write(event("ended", {"error": str(ended)}))
            return
        await response.write(event("update", update))
        if update["isComplete"]:
            await asyncio.sleep(_PAUSE_SECONDS)
