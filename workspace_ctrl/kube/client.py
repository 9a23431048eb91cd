"""Requests to the API server over one shared session: server-side apply, dry-run, create, replace, delete, list, watch."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.kube.decoding import decode, encode
from workspace_ctrl.kube.errors import KindNotServedError, NotFoundError, RetryableError, TooLargeError, error_of
from workspace_ctrl.kube.resources import Json, Resource

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
SILENCE_SECONDS = 150.0
"""A watch that sends nothing for this long is dead: the API server sends bookmarks about once a minute."""
_ATTEMPTS = 4
_IN_FLIGHT = 32
"""More requests at once make an API server no faster, and cost the client more than they bring."""
_LONGEST_WAIT = 5.0
"""Seconds for which a worker waits at most when the API server asks for patience; longer waits belong to the work queue."""

_LONGEST_PAGE = 8 << 20
"""Bytes of a page of a list: anyone may create objects of 1.5 MB, and hundreds of them must not be in memory at once."""

Observer = Callable[[str, str, int], None]
"""Told of each request that was answered or failed: verb (as in the audit log), plural of the kind, HTTP status (0 without an answer)."""

Fence = Callable[[], None]
"""Asked before each write goes out; raises an ApiError where this process may not write."""


class Client:
    """Requests to one API server, as one field manager.

    At most 32 requests are in flight; watches do not count, so neither ever waits for the other.
    """

    def __init__(
        self,
        connection: Connection,
        field_manager: str,
        observer: Observer | None = None,
        *,
        fence: Fence | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._connection = connection
        self._field_manager = field_manager
        self._observe: Observer = observer or (lambda _verb, _plural, _status: None)
        self._silence_seconds = silence_seconds
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)
        self._fence: Fence = fence or (lambda: None)

    async def apply(
        self, resource: Resource, manifest: Json, *, force: bool, dry_run: bool = False, subresource: str = ""
    ) -> dict[str, Any]:
        """Apply `manifest` server-side and return the object as it stands then.

        With `force`, fields that others own are taken over; without, they are a conflict. A dry-run passes admission and is not stored.

        Raises:
            ConflictError: others own fields, or the uid in the manifest is not that of the object.
            RejectedError: the API server refuses it.
            RetryableError: it may succeed soon.
        """
        metadata = manifest["metadata"]
        parameters = {"fieldManager": self._field_manager, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._retrying(_Request("patch", resource, path, parameters, encode(manifest), APPLY))

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, patch: Json, *, field_manager: str = ""
    ) -> dict[str, Any]:
        """Merge `patch` into an object, as our field manager or as another one, and return it as it stands then.

        Raises:
            ConflictError: the uid in the patch is not that of the object.
            NotFoundError: it is not there.
        """
        parameters = {"fieldManager": field_manager or self._field_manager}
        return await self._retrying(_Request("patch", resource, resource.path(namespace, name), parameters, encode(patch), MERGE))

    async def create(self, resource: Resource, document: Json) -> dict[str, Any]:
        """Create an object and return it as it stands then.

        Raises:
            ConflictError: there is one of that name.
        """
        path = resource.path(document["metadata"].get("namespace", ""))
        parameters = {"fieldManager": self._field_manager}
        return await self._retrying(_Request("create", resource, path, parameters, encode(document)))

    async def replace(self, resource: Resource, document: Json) -> dict[str, Any]:
        """Replace an object by `document`, whose resource version says which state was read, and return it as it stands then.

        Raises:
            ConflictError: somebody else has changed it since.
            NotFoundError: it is not there; of some kinds, Leases among them, it is created then.
        """
        metadata = document["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        parameters = {"fieldManager": self._field_manager}
        return await self._retrying(_Request("update", resource, path, parameters, encode(document)))

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Delete the object with that uid; one that is gone, or was replaced by another of its name, is left as it is."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._retrying(_Request("delete", resource, resource.path(namespace, name), {}, encode(options)))
        except NotFoundError:
            return

    async def delete_collection(self, resource: Resource, namespace: str, selector: str) -> None:
        """Delete the objects of a namespace that a label selector selects."""
        options = {"propagationPolicy": "Background"}
        path, parameters = resource.path(namespace), {"labelSelector": selector}
        await self._retrying(_Request("deletecollection", resource, path, parameters, encode(options)))

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        """Return an object, or a subresource of it.

        Raises:
            NotFoundError: it is not there.
        """
        return await self._retrying(_Request("get", resource, resource.path(namespace, name, subresource), {}))

    async def find(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None; by a list, so that it takes no more rights than watching does."""
        page = await self.list_page(resource, {"fieldSelector": f"metadata.name={name}"}, namespace)
        return next(({"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in page.get("items") or ()), None)

    async def find_resource(self, api_version: str, kind: str) -> Resource:
        """Return where the API server serves `kind`.

        Raises:
            KindNotServedError: it does not.
        """
        group, _, version = api_version.rpartition("/")
        discovery = Resource(group, version, "", kind, namespaced=False)
        missing = f"{kind} of {api_version} is not served by the cluster"
        try:
            document = await self._retrying(_Request("get", discovery, discovery.path().rstrip("/"), {}))
        except KindNotServedError:
            raise KindNotServedError(missing) from None
        for entry in document.get("resources") or ():
            if entry["kind"] == kind and "/" not in entry["name"]:
                return Resource(group, version, entry["name"], kind, namespaced=entry["namespaced"])
        raise KindNotServedError(missing)

    async def list_page(
        self, resource: Resource, parameters: Mapping[str, str], namespace: str = "", *, metadata_only: bool = False
    ) -> dict[str, Any]:
        """Return one page of a list; with `metadata_only`, of the objects' metadata.

        Raises:
            TooLargeError: a page of several objects has more than 8 MiB; ask for fewer.
        """
        accept = METADATA_LIST if metadata_only else JSON
        return await self._retrying(_Request("list", resource, resource.path(namespace), parameters, accept=accept))

    async def watch(
        self, resource: Resource, parameters: Mapping[str, str], namespace: str = "", *, metadata_only: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of a watch until the server ends it; with `metadata_only`, their objects are metadata alone.

        Raises:
            GoneError: the resource version is too old.
            RetryableError: the connection broke or fell silent, or brought what is no event.
        """
        url = self._connection.server + resource.path(namespace)
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=self._silence_seconds)
        headers = {"Accept": METADATA if metadata_only else JSON}
        asked = {**parameters, "watch": "true"}
        status = 0
        try:
            async with self._connection.session.get(url, params=asked, headers=headers, timeout=timeout) as response:
                status = response.status
                self._observe("watch", resource.plural, status)
                if not response.ok:
                    raise error_of(status, await response.read(), response.headers)
                async for line in _lines(response.content):
                    yield await _parsed(line, f"watch of {resource.plural}", _EVENT)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not status:
                self._observe("watch", resource.plural, status)
            raise RetryableError(f"watch of {resource.plural} failed: {error or type(error).__name__}") from error

    async def _retrying(self, request: "_Request") -> dict[str, Any]:
        """Send an idempotent request, again on passing errors; longer waits belong to the work queue, not to a sleeping worker."""
        try:
            return await self._once(request)
        except RetryableError as error:
            return await self._again(request, error)

    async def _again(self, request: "_Request", error: RetryableError) -> dict[str, Any]:
        """Send a request whose first attempt ended with `error` again; the rule costs as much as a request, so only these pay for it."""
        failed: list[RetryableError] = [error]

        async def attempt() -> dict[str, Any]:
            if failed:
                raise failed.pop()
            return await self._once(request)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_worth_waiting), stop=stop_after_attempt(_ATTEMPTS), wait=_wait, reraise=True
        )
        return await retrying(attempt)

    async def _once(self, request: "_Request") -> dict[str, Any]:
        async with self._in_flight:
            if request.verb in _WRITES:
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
            ) as response:
                status, headers = response.status, response.headers
                answer = await _read(response, request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryableError(f"{request.verb} {request.path}: {error or type(error).__name__}") from error
        finally:
            self._observe(request.verb, request.resource.plural, status)
        if status >= HTTPStatus.BAD_REQUEST:
            raise error_of(status, answer, headers)
        return await _parsed(answer, f"{request.verb} {request.path}")


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    resource: Resource
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


_METHODS = {
    "list": "GET",
    "get": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_EVENT = frozenset({"type", "object"})
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_BACKOFF = wait_random_exponential(multiplier=0.2, max=2)


def _is_worth_waiting(error: BaseException) -> bool:
    return isinstance(error, RetryableError) and error.retry_after <= _LONGEST_WAIT


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: at least what the API server asked for, and some more, so that not all come at once."""
    error = state.outcome.exception() if state.outcome is not None else None
    return _BACKOFF(state) + (error.retry_after if isinstance(error, RetryableError) else 0.0)


async def _parsed(text: bytes, what: str, keys: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return an answer's object, which has at least `keys`.

    Raises:
        RetryableError: it is none, as where something between us and the API server has torn it, or has answered in its place.
    """
    try:
        document = await decode(text)
    except ValueError as error:
        raise RetryableError(f"{what}: the response is not JSON ({error})") from None
    if not isinstance(document, dict) or not keys <= document.keys():
        raise RetryableError(f"{what}: the response is not from the API server")
    return document


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; unlike the stream's own iterator, whatever their length.

    Each chunk is read once, so the time is linear in the length: an object of 1.5 MB, which anyone may store, can be 9 MB of escaped JSON.
    """
    pieces: list[bytes] = []
    async for chunk in stream.iter_any():
        end, *begins = chunk.split(b"\n")
        pieces.append(end)
        for begin in begins:
            line = b"".join(pieces)
            pieces = [begin]
            if line:
                yield line
