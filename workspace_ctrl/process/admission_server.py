"""HTTPS server of the admission webhook: TLS, limits of requests, and the call of kopf.

kopf receives a request without its objects, because it would compare them recursively and keep the uid of each. The handler gets the
objects from `UNDER_REVIEW`.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

import kopf
import orjson
from aiohttp import StreamReader, web

from workspace_ctrl.api.labels import KIND
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.process.bounded_server import OUR_ERRORS
from workspace_ctrl.process.certificate import Certificate
from workspace_ctrl.settings.process import AdmissionSettings

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 2 << 20
"""Largest request that is parsed; it has the Workspace before and after the update."""
_HEAD: Final = 4096
"""Bytes of a request within which the API server writes uid and operation: both precede the objects."""
_READ_SECONDS: Final = 2.0
"""Timeout for receiving a request, the same as that of the API server."""
_MOST_REQUESTS: Final = 32
"""Concurrent requests; further ones are rejected, which the API server ignores because of failurePolicy Ignore."""
_MOST_CONNECTIONS: Final = 256
_RETRY_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 10.0
"""Interval of the checks of the certificate's files and of the number of connections."""
_UID = re.compile(rb'"uid":\s*"([0-9A-Za-z-]{1,64})"')
_KIND = re.compile(rb'"kind":\s*{"group":\s*"[^"]*",\s*"version":\s*"[^"]*",\s*"kind":\s*"([A-Za-z]{1,63})"}')
_OPERATION = re.compile(rb'"operation":\s*"([A-Z]{1,16})"')


@dataclass(frozen=True, slots=True)
class Review:
    """One AdmissionReview of the API server."""

    operation: str
    """CREATE, UPDATE or another."""
    new: Mapping[str, Any] | None = None
    """The object that would be stored; None if it is too large or nested too deeply to be parsed."""
    old: Mapping[str, Any] | None = None
    kind: str = KIND
    """The kind of the object, also of one that is not parsed."""


UNDER_REVIEW: Final[ContextVar[Review]] = ContextVar("under_review")
"""The review that kopf's handler is called for."""


class AdmissionServer:
    """The webhook server for kopf (kopf.WebhookServerProtocol).

    It replaces kopf's own, which fails on objects that are nested too deeply or too large, and restarts to load a renewed certificate.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings
        self._requests = 0

    async def __call__(self, review: kopf.WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        """Serve until kopf closes the iterator; the yielded configuration is empty, because kopf does not manage it."""
        certificate = Certificate(self._settings.certificates, "Workspaces are not validated at admission")
        await certificate.wait()

        async def handle(request: web.Request) -> web.Response:
            return await self._handle(request, review)

        app = web.Application()
        app.add_routes([web.post("/{path:.*}", handle)])
        runner = web.AppRunner(app, access_log=None, logger=OUR_ERRORS, handle_signals=False, shutdown_timeout=_READ_SECONDS)
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
        """Listen; if the port is in use, retry, because the controller works without the webhook."""
        while True:
            site = web.TCPSite(runner, port=self._settings.port, ssl_context=context)
            try:
                await site.start()
            except OSError as error:
                text = "--admission-port %d: %s; use another port, or 0 to disable; Workspaces are not validated at admission meanwhile"
                logger.error(text, self._settings.port, error.strerror or error)  # noqa: TRY400 - the message is sufficient
                await site.stop()
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                logger.info("serving admission on port %d", self._settings.port)
                return

    async def _handle(self, request: web.Request, review: kopf.WebhookFn) -> web.Response:
        if self._requests >= _MOST_REQUESTS:
            raise web.HTTPServiceUnavailable(text="too many concurrent requests\n")
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
    """Close all connections if there are more than an API server opens: clients are not authenticated."""
    connections = server.connections if server is not None else []
    if len(connections) > _MOST_CONNECTIONS:
        logger.warning(
            "closing %d connections to the admission port; restrict clients with networkPolicy.admissionFrom of the chart",
            len(connections),
        )
        for connection in connections:
            connection.force_close()


async def _read(content: StreamReader) -> bytes:
    """Return the body of a request; only its beginning if it is too large."""
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
        HTTPBadRequest: it is not a request of an API server.
    """
    uid, operation = _UID.search(body, 0, _HEAD), _OPERATION.search(body, 0, _HEAD)
    if uid is None or operation is None:
        raise web.HTTPBadRequest(text="not an AdmissionReview\n")
    kind = _KIND.search(body, 0, _HEAD)
    unread = Review(operation[1].decode(), kind=kind[1].decode() if kind is not None else KIND)
    if len(body) > _MOST_BYTES:
        return uid[1].decode(), unread
    try:
        request = orjson.loads(body)["request"]
        review = replace(unread, operation=request["operation"], new=request.get("object"), old=request.get("oldObject"))
        is_typed = isinstance(request["uid"], str) and isinstance(review.operation, str)
        return (request["uid"], review) if is_typed else (uid[1].decode(), unread)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):  # also if nested deeper than the parser supports
        return uid[1].decode(), unread


def _without_objects(uid: str, operation: str) -> Any:  # noqa: ANN401 - kopf does not export the type
    """Return the part of the request by which kopf finds the handler."""
    resource = {"group": WORKSPACE.group, "version": WORKSPACE.version, "resource": WORKSPACE.plural}
    request = {"uid": uid, "resource": resource, "operation": operation, "userInfo": {}, "object": {"metadata": {}}}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
