"""Requests to the API server over one shared session: server-side apply, dry-run, create, replace, delete, list, watch."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.kube.decoding import decode, encode, lines
from workspace_ctrl.kube.errors import (
    ConflictError,
    KindNotServedError,
    NotFoundError,
    RejectedError,
    RetryableError,
    TooLargeError,
    error_of,
    unreachable,
)
from workspace_ctrl.kube.resources import ApiResource, Json

logger = logging.getLogger(__name__)
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
SILENCE_SECONDS = 150.0
"""A watch that sends nothing for this long is dead: the API server sends bookmarks about once a minute."""
_ATTEMPTS = 4
_REPEATED_SECONDS = 30.0
"""For so long a request is repeated, the first time not counted: one that a server takes and never answers ends after two timeouts."""
_IN_FLIGHT = 32
"""Requests at once; more do not increase the throughput of an API server, and cost the client time and memory."""
_LONGEST_WAIT = 5.0
"""Longest Retry-After, in seconds, for which a worker waits; a longer one is left to the work queue."""

NOT_APPLICABLE: Final = "the server rejected our request due to an error in our request"
"""All that the API server says of a JSON patch that does not fit the object."""

_LONGEST_PAGE = 8 << 20
"""Largest page of a list, in bytes: users can create objects of 1.5 MB, and hundreds of them must not be in memory at once."""

Observer = Callable[[str, str, int], None]
"""Called after each request with its verb (as in the audit log), the plural of the kind, and the HTTP status (0 without a response)."""

Fence = Callable[[], None]
"""Called before each write; raises an ApiError if this process may not write."""


class Client:
    """Requests to one API server, as one field manager.

    At most 32 requests are in flight, watches not counted, so that neither waits for the other; each is sent up to `attempts` times.
    Redirects are not followed: a request carries credentials, and an aggregated API server could send them anywhere.
    """

    def __init__(
        self,
        connection: Connection,
        field_manager: str,
        observer: Observer | None = None,
        *,
        fence: Fence | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._connection = connection
        self._field_manager = field_manager
        self._observe: Observer = observer or (lambda _verb, _plural, _status: None)
        self._silence_seconds = silence_seconds
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)
        self._fence: Fence = fence or (lambda: None)
        self._attempts = attempts

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self._connection.server

    async def apply(
        self, resource: ApiResource, manifest: Json, *, force: bool, dry_run: bool = False, subresource: str = ""
    ) -> dict[str, Any]:
        """Apply `manifest` server-side and return the resulting object.

        With `force`, fields of other managers are taken over; else they are a conflict. A dry-run passes admission and is not stored.

        Raises:
            ConflictError: another manager owns fields, or the uid in the manifest is not that of the object.
            RejectedError: the API server rejects the manifest.
            RetryableError: the same request may succeed soon.
        """
        metadata = manifest["metadata"]
        parameters = {"fieldManager": self._field_manager, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._retrying(_Request("patch", resource, path, parameters, encode(manifest), APPLY))

    async def merge_patch(
        self, resource: ApiResource, namespace: str, name: str, patch: Json, *, field_manager: str = ""
    ) -> dict[str, Any]:
        """Merge `patch` into an object, as our field manager or as `field_manager`, and return the resulting object.

        Raises:
            ConflictError: the uid in the patch is not that of the object.
            NotFoundError: the object does not exist.
        """
        parameters, path = {"fieldManager": field_manager or self._field_manager}, resource.path(namespace, name)
        return await self._retrying(_Request("patch", resource, path, parameters, encode(patch), MERGE))

    async def json_patch(
        self, resource: ApiResource, namespace: str, name: str, operations: Sequence[Json], subresource: str = ""
    ) -> dict[str, Any]:
        """Change an object, or a subresource of it, by the operations of a JSON patch and return the resulting object.

        Raises:
            ConflictError: a test among the operations fails.
            NotFoundError: the object does not exist.
        """
        path, parameters = resource.path(namespace, name, subresource), {"fieldManager": self._field_manager}
        try:
            return await self._retrying(_Request("patch", resource, path, parameters, encode(operations), JSON_PATCH))
        except RejectedError as error:
            if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and error.message.startswith(NOT_APPLICABLE):
                raise ConflictError(
                    f"{resource.kind} {namespace}/{name} is not as the patch expects it", status=error.status
                ) from None
            raise

    async def create(self, resource: ApiResource, document: Json) -> dict[str, Any]:
        """Create an object and return it.

        Raises:
            ConflictError: an object of that name exists.
        """
        path = resource.path(document["metadata"].get("namespace", ""))
        parameters = {"fieldManager": self._field_manager}
        return await self._retrying(_Request("create", resource, path, parameters, encode(document)))

    async def replace(self, resource: ApiResource, document: Json) -> dict[str, Any]:
        """Replace an object by `document`, whose resource version is that of the state that was read, and return the resulting object.

        Raises:
            ConflictError: the object was changed since.
            NotFoundError: the object does not exist; for some kinds, such as Leases, the API server creates it instead.
        """
        metadata = document["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        parameters = {"fieldManager": self._field_manager}
        return await self._retrying(_Request("update", resource, path, parameters, encode(document)))

    async def delete(self, resource: ApiResource, namespace: str, name: str, uid: str) -> None:
        """Delete the object with that uid; nothing happens if it does not exist, or if an object of that name has another uid."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._retrying(_Request("delete", resource, resource.path(namespace, name), {}, encode(options)))
        except NotFoundError:
            return

    async def delete_collection(self, resource: ApiResource, namespace: str, selector: str) -> None:
        """Delete the objects of a namespace that match the label selector."""
        options, path = {"propagationPolicy": "Background"}, resource.path(namespace)
        await self._retrying(_Request("deletecollection", resource, path, {"labelSelector": selector}, encode(options)))

    async def get(self, resource: ApiResource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        """Return an object, or a subresource of it.

        Raises:
            NotFoundError: it does not exist.
        """
        return await self._retrying(_Request("get", resource, resource.path(namespace, name, subresource), {}))

    async def get_path(self, path: str) -> dict[str, Any]:
        """Return the document at a path that is no object, such as /version.

        Raises:
            ApiError: the API server cannot be reached, or rejects the request.
        """
        return await self._retrying(_Request("get", _NO_RESOURCE, path, {}))

    async def stream(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a text that the API server sends, such as a log, as long as it sends them.

        Raises:
            ApiError: the API server rejects the request.
            RetryableError: the connection broke.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=5)
        url = self._connection.server + path
        try:
            async with self._connection.session.get(url, params=parameters, timeout=timeout, allow_redirects=False) as response:
                if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise error_of(response.status, await response.read(), response.headers)
                async for line in lines(response.content, with_rest=True):
                    yield line
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(f"get {path}", error) from error

    async def find(self, resource: ApiResource, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, in the newest version that is served, or None if it does not exist.

        It is read by a list, which needs no more rights than the watches.
        """
        page = await self.list_page(resource, {"fieldSelector": f"metadata.name={name}"}, namespace)
        return next(({"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in page.get("items") or ()), None)

    async def find_resource(self, api_version: str, kind: str) -> ApiResource:
        """Return the resource of `kind`, from the API server's discovery.

        Raises:
            KindNotServedError: the API server does not serve it.
        """
        group, _, version = api_version.rpartition("/")
        discovery = ApiResource(group, version, "", kind, namespaced=False)
        missing = f"{kind} of {api_version} is not served by the cluster"
        try:
            document = await self._retrying(_Request("get", discovery, discovery.path().rstrip("/"), {}))
        except KindNotServedError:
            raise KindNotServedError(missing) from None
        for entry in document.get("resources") or ():
            if entry["kind"] == kind and "/" not in entry["name"]:
                return ApiResource(group, version, entry["name"], kind, namespaced=entry["namespaced"])
        raise KindNotServedError(missing)

    async def list_page(
        self, resource: ApiResource, parameters: Mapping[str, str], namespace: str = "", *, metadata_only: bool = False
    ) -> dict[str, Any]:
        """Return one page of a list, in the newest version that is served; with `metadata_only`, of the objects' metadata.

        Raises:
            KindNotServedError: no version of the kind is served.
            TooLargeError: a page of several objects has more than 8 MiB; request fewer.
        """
        accept = METADATA_LIST if metadata_only else JSON
        *newer, oldest = resource.versions
        for version in newer:
            with suppress(KindNotServedError):
                return await self._list(version, parameters, namespace, accept)
        try:
            return await self._list(oldest, parameters, namespace, accept)
        except KindNotServedError as error:  # the API server says only that there is no such page
            raise KindNotServedError(f"the cluster does not know {resource.kind}s", status=error.status) from None

    async def _list(self, resource: ApiResource, parameters: Mapping[str, str], namespace: str, accept: str) -> dict[str, Any]:
        return await self._retrying(_Request("list", resource, resource.path(namespace), parameters, accept=accept))

    async def watch(
        self, resource: ApiResource, parameters: Mapping[str, str], namespace: str = "", *, metadata_only: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of a watch until the server ends it; with `metadata_only`, their objects are metadata alone.

        Older versions of the kind are not tried: a resource version to watch from belongs to a list, and the informer knows its version.

        Raises:
            GoneError: the resource version is too old.
            RetryableError: the connection broke, or sent nothing for too long, or sent something that is not an event.
        """
        url = self._connection.server + resource.path(namespace)
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=self._silence_seconds)
        headers = {"Accept": METADATA if metadata_only else JSON}
        asked = {**parameters, "watch": "true"}
        status = 0
        try:
            async with self._connection.session.get(
                url, params=asked, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                status = response.status
                self._observe("watch", resource.plural, status)
                if status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise error_of(status, await response.read(), response.headers)
                async for line in lines(response.content):
                    yield await _parsed(line, f"watch of {resource.plural}", _EVENT)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not status:
                self._observe("watch", resource.plural, status)
            raise unreachable(f"watch of {resource.plural} failed", error) from error

    async def _retrying(self, request: "_Request") -> dict[str, Any]:
        """Send an idempotent request, and repeat it after temporary errors; longer delays are left to the work queue."""
        try:
            return await self._once(request)
        except RetryableError as error:
            return await self._again(request, error)

    async def _again(self, request: "_Request", error: RetryableError) -> dict[str, Any]:
        """Repeat a request that failed with `error`; setting up tenacity costs as much as a request, so only these need it."""
        if isinstance(error.__cause__, TimeoutError):  # so it took long, and the caller waits on without a word
            logger.info("%s; retrying", error)
        failed: list[RetryableError] = [error]

        async def attempt() -> dict[str, Any]:
            if failed:
                raise failed.pop()
            return await self._once(request)

        stop = stop_after_attempt(self._attempts) | stop_after_delay(_REPEATED_SECONDS)
        retrying = AsyncRetrying(retry=retry_if_exception(_is_worth_waiting), stop=stop, wait=_wait, reraise=True)
        return await retrying(attempt)

    async def _once(self, request: "_Request") -> dict[str, Any]:
        async with self._in_flight:
            if request.verb in _WRITING_METHODS:
                self._fence()
            return await self._send(request)

    async def _send(self, request: "_Request") -> dict[str, Any]:
        status = 0
        try:
            async with self._connection.session.request(
                _METHODS[request.verb],
                self._connection.server + request.path,
                params=request.parameters,
                data=request.body,
                headers={"Content-Type": request.content_type, "Accept": request.accept},
                timeout=_REQUEST_TIMEOUT,
                allow_redirects=False,
            ) as response:
                status, headers = response.status, response.headers
                answer = await _read(response, request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(f"{request.verb} {request.path}", error) from error
        finally:
            self._observe(request.verb, request.resource.plural, status)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise error_of(status, answer, headers)
        return await _parsed(answer, f"{request.verb} {request.path}")


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    resource: ApiResource
    path: str
    parameters: Mapping[str, str]
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON


async def _read(response: aiohttp.ClientResponse, request: _Request) -> bytes:
    """Return the body of a response; a page of a list is read up to its limit.

    Raises:
        TooLargeError: a page of several objects exceeds the limit.
    """
    if request.verb != "list" or request.parameters.get("limit", "1") == "1":
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_PAGE:
            raise TooLargeError(f"a page of {request.resource.plural} is larger than {_LONGEST_PAGE >> 20} MiB")
    return bytes(body)


_WRITING_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}
_METHODS = {"list": "GET", "get": "GET", **_WRITING_METHODS}
_NO_RESOURCE = ApiResource("", "v1", "", "", namespaced=False)
_EVENT = frozenset({"type", "object"})
_BACKOFF = wait_random_exponential(multiplier=0.2, max=2)


def _is_worth_waiting(error: BaseException) -> bool:
    return isinstance(error, RetryableError) and error.retry_after <= _LONGEST_WAIT


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: at least the Retry-After of the API server, plus jitter."""
    error = state.outcome.exception() if state.outcome is not None else None
    return _BACKOFF(state) + (error.retry_after if isinstance(error, RetryableError) else 0.0)


async def _parsed(text: bytes, what: str, keys: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the JSON object in `text`, which has at least `keys`; `what` names the response in errors.

    Raises:
        RetryableError: it is not such an object: a proxy truncated the response, or sent one of its own.
    """
    try:
        document = await decode(text)
    except ValueError as error:
        raise RetryableError(f"{what}: the response is not JSON ({error})") from None
    if not isinstance(document, dict) or not keys <= document.keys():
        raise RetryableError(f"{what}: the response is not from the API server")
    return document
