"""Serves the Prometheus metrics; on request over TLS, and only to clients that the API server authenticates and authorizes."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.process.bounded_server import serving
from workspace_ctrl.process.certificate import Certificate
from workspace_ctrl.settings.process import MetricsSettings

logger = logging.getLogger(__name__)

TOKEN_REVIEW: Final = ApiResource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
ACCESS_REVIEW: Final = ApiResource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
PATH: Final = "/metrics"
_REUSED: Final = 10
"""A page is reused for so many times the duration of making it, so that scrapes of any number use a tenth of a processor at most."""
_KEPT_SECONDS: Final = 10.0
"""Duration for which an answer of the API server about a token is kept, as in kube-rbac-proxy."""
_MOST_TOKENS: Final = 128
_MOST_REVIEWS: Final = 4
_REVIEW_SECONDS: Final = 5.0

Authorize = Callable[[web.BaseRequest], Awaitable[HTTPStatus]]
"""Returns the status with which a request is answered: OK, or why not."""


class MetricsPage:
    """The text of the metrics, made in a thread, once at a time."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._lock = asyncio.Lock()
        self._text, self._fresh_until = b"", 0.0

    async def read(self) -> bytes:
        """Return the current metrics."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            begin = loop.time()
            if begin >= self._fresh_until:
                self._text = await asyncio.to_thread(generate_latest, self._registry)
                end = loop.time()
                self._fresh_until = end + _REUSED * (end - begin)
            return self._text


class Authorizer:
    """Authenticates bearer tokens with TokenReviews, and authorizes `get` of the path /metrics with SubjectAccessReviews."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: BoundedCache[bytes, tuple[HTTPStatus, float]] = BoundedCache(_MOST_TOKENS)
        self._reviews = 0

    async def __call__(self, request: web.BaseRequest) -> HTTPStatus:
        """Return OK, or why the request is refused; an answer is kept for some seconds, by the hash of the token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return HTTPStatus.UNAUTHORIZED
        key, now = hashlib.sha256(token.encode(errors="surrogateescape")).digest(), asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is not None and now < known[1]:
            return known[0]
        if self._reviews >= _MOST_REVIEWS:
            return HTTPStatus.SERVICE_UNAVAILABLE
        self._reviews += 1
        try:
            async with asyncio.timeout(_REVIEW_SECONDS):
                found = await self._review(token.strip())
        except (ApiError, TimeoutError) as error:
            logger.warning("cannot authorize a scrape of the metrics: %s", error or "no response in time")
            return HTTPStatus.SERVICE_UNAVAILABLE
        finally:
            self._reviews -= 1
        self._known.keep(key, (found, now + _KEPT_SECONDS))
        return found

    async def _review(self, token: str) -> HTTPStatus:
        review = await self._client.create(TOKEN_REVIEW, {"metadata": {}, "spec": {"token": token}})
        status = review.get("status") or {}
        if not status.get("authenticated"):
            return HTTPStatus.UNAUTHORIZED
        user = status.get("user") or {}
        spec = {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": PATH, "verb": "get"},
        }
        access = await self._client.create(ACCESS_REVIEW, {"metadata": {}, "spec": spec})
        return HTTPStatus.OK if (access.get("status") or {}).get("allowed") else HTTPStatus.FORBIDDEN


async def _anyone(_request: web.BaseRequest) -> HTTPStatus:
    return HTTPStatus.OK


@asynccontextmanager
async def serve_metrics(settings: MetricsSettings, page: MetricsPage, client: Client) -> AsyncIterator[None]:
    """Serve /metrics on all addresses while the context lasts; nothing is served if the port is 0.

    Raises:
        PortError: the port is in use, or the process may not listen on it.
    """
    if not settings.port:
        yield
        return
    if settings.certificates is None:
        async with serving(_answering(page, _anyone), settings.port, "--metrics-port"):
            yield
        return
    certificate = Certificate(settings.certificates, "metrics are not served")
    async with serving(_answering(page, Authorizer(client)), settings.port, "--metrics-port", certificate.context):
        renewing = asyncio.create_task(certificate.keep_current(), name="metrics certificate")
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing


def _answering(page: MetricsPage, authorize: Authorize) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    async def answer(request: web.BaseRequest) -> web.Response:
        status = await authorize(request)
        if status is not HTTPStatus.OK:
            return web.Response(status=status, text=f"{status.phrase}\n")
        if request.path not in {PATH, "/"}:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(body=await page.read(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return answer
