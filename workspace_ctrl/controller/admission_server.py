"""Where the API server asks about a Workspace before it stores it: TLS, requests of any size and depth, and the way to kopf.

kopf gets no more than that there is a request. It would compare the objects level by level on the stack, and remember each one's uid; so
they go past it, to the handler, in `UNDER_REVIEW`.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kopf
import orjson
from aiohttp import StreamReader, web

from workspace_ctrl.controller.kinds import WORKSPACE
from workspace_ctrl.controller.settings import AdmissionSettings

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 2 * 2**20
"""Of a request that is read: twice a Workspace of the largest size that the API server stores is more than anybody needs."""
_HEAD: Final = 4096
"""Bytes within which the API server names uid and operation: both come before what a user has written."""
_READ_SECONDS: Final = 2.0
"""For how long a request may come in; the API server itself does not wait longer."""
_MOST_REQUESTS: Final = 32
"""At once; further ones are turned away, which to the API server is as if nobody had been asked."""
_MOST_CONNECTIONS: Final = 256
_RETRY_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 10.0
"""Between two looks at the certificate's files and at the connections."""
_UID = re.compile(rb'"uid":\s*"([0-9A-Za-z-]{1,64})"')
_OPERATION = re.compile(rb'"operation":\s*"([A-Z]{1,16})"')


@dataclass(frozen=True, slots=True)
class Review:
    """One question of the API server's."""

    operation: str
    """CREATE, UPDATE or another."""
    new: Mapping[str, Any] | None = None
    """The object as it is to be stored; None where it is too large or too deep to be read."""
    old: Mapping[str, Any] | None = None


UNDER_REVIEW: Final[ContextVar[Review]] = ContextVar("under_review")
"""What kopf's handler is asked about."""


class AdmissionServer:
    """kopf's way to requests (kopf.WebhookServerProtocol), in place of its own server.

    That one answers what is too deep or too large with an error, and starts anew to take up a renewed certificate.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings
        self._requests = 0

    async def __call__(self, review: kopf.WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        """Serve as long as kopf goes on asking for more; what is yielded would be for configurations that kopf does not manage here."""
        certificate = _Certificate(self._settings.certificates)
        await certificate.wait()

        async def handle(request: web.Request) -> web.Response:
            return await self._handle(request, review)

        app = web.Application()
        app.add_routes([web.post("/{path:.*}", handle)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_READ_SECONDS)
        await runner.setup()
        try:
            await self._listen(runner, certificate.context)
            yield {}
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                await certificate.renew()
                _shed(runner.server)
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner, context: ssl.SSLContext) -> None:
        """Listen; a port that is taken does not end the controller, which does all else without it."""
        while True:
            site = web.TCPSite(runner, port=self._settings.port, ssl_context=context)
            try:
                await site.start()
            except OSError as error:
                text = "--admission-port %d: %s; choose another port, or 0 for none; Workspaces are not checked at apply until it is free"
                logger.error(text, self._settings.port, error.strerror or error)  # noqa: TRY400 - the sentence says it all
                await site.stop()
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                logger.info("serving admission on port %d", self._settings.port)
                return

    async def _handle(self, request: web.Request, review: kopf.WebhookFn) -> web.Response:
        if self._requests >= _MOST_REQUESTS:
            raise web.HTTPServiceUnavailable(text="too many requests at once\n")
        self._requests += 1
        try:
            async with asyncio.timeout(_READ_SECONDS):
                body = await _read(request.content)
            return await _answer(body, review)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        finally:
            self._requests -= 1


def _shed(server: web.Server | None) -> None:
    """Close all connections where there are more than an API server opens: nobody says who they are."""
    connections = server.connections if server is not None else []
    if len(connections) > _MOST_CONNECTIONS:
        logger.warning(
            "closing %d connections to the admission port; see networkPolicy.admissionFrom of the chart", len(connections)
        )
        for connection in connections:
            connection.force_close()


async def _read(content: StreamReader) -> bytes:
    """Return a request's body; of one that is too large, its beginning."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            break
    return bytes(body)


async def _answer(body: bytes, review: kopf.WebhookFn) -> web.Response:
    uid, asked = _parse(body)
    token = UNDER_REVIEW.set(asked)
    try:
        response = await review(_without_objects(uid, asked.operation))
    finally:
        UNDER_REVIEW.reset(token)
    return web.Response(body=orjson.dumps(response), content_type="application/json")


def _parse(body: bytes) -> tuple[str, Review]:
    """Return uid and content of a request.

    Raises:
        HTTPBadRequest: it is none of an API server.
    """
    uid, operation = _UID.search(body, 0, _HEAD), _OPERATION.search(body, 0, _HEAD)
    if uid is None or operation is None:
        raise web.HTTPBadRequest(text="this is no AdmissionReview\n")
    unread = Review(operation[1].decode())
    if len(body) > _MOST_BYTES:
        return uid[1].decode(), unread
    try:
        request = orjson.loads(body)["request"]
        return request["uid"], Review(request["operation"], request.get("object"), request.get("oldObject"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):  # nested deeper than any parser goes, too
        return uid[1].decode(), unread


def _without_objects(uid: str, operation: str) -> Any:  # noqa: ANN401 - kopf does not export the type
    """Return the request as kopf needs it in order to find the handler."""
    resource = {"group": WORKSPACE.group, "version": WORKSPACE.version, "resource": WORKSPACE.plural}
    request = {"uid": uid, "resource": resource, "operation": operation, "userInfo": {}, "object": {"metadata": {}}}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


class _Certificate:
    """A certificate in files that somebody else renews: of a mounted Secret, which may not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._files = (folder / "tls.crt", folder / "tls.key")
        self._loaded: tuple[int, ...] = ()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    async def wait(self) -> None:
        """Load the certificate as soon as it is there."""
        trouble = await asyncio.to_thread(self._load)
        if trouble:
            logger.warning("%s; Workspaces are not checked at apply until there is a certificate", trouble)
        while trouble:
            await asyncio.sleep(_RETRY_SECONDS)
            trouble = await asyncio.to_thread(self._load)

    async def renew(self) -> None:
        """Load what has come into its place; connections from then on get it."""
        trouble = await asyncio.to_thread(self._load)
        if trouble:
            logger.warning("%s; serving admission with the certificate from before", trouble)

    def _load(self) -> str:
        """Load the files where they have changed; return why that failed."""
        try:
            stamp = tuple(file.stat().st_mtime_ns for file in self._files)
            if stamp != self._loaded:
                self.context.load_cert_chain(*self._files)
                self._loaded = stamp
        except (OSError, ssl.SSLError) as error:
            return f"certificate {self._files[0]}: {error.strerror or error}"
        return ""
