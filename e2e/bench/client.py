"""As little as possible between the benchmark and the API server: aiohttp, JSON, and a number of requests in flight."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import yaml

from e2e.bench.errors import BenchmarkError
from workspace_ctrl.cache.watches import BY_KIND
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Key

IN_FLIGHT = 32
_MANAGER = "benchmark"
_HEADERS = {"Content-Type": "application/apply-patch+yaml"}


class BareClient:
    """Applies and watches objects; retries nothing, as an error here is an error of the benchmark."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._free = asyncio.Semaphore(IN_FLIGHT)

    async def apply_all(self, manifests: Iterable[Mapping[str, Any]]) -> float:
        """Apply objects, `IN_FLIGHT` at a time; return the seconds that it took."""
        bodies = [(_path(manifest), json.dumps(manifest).encode()) for manifest in manifests]
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for path, body in bodies:
                group.create_task(self._apply(path, body))
        return time.monotonic() - started

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one object."""
        await self._apply(_path(manifest), json.dumps(manifest).encode())

    async def send(
        self, method: str, path: str, body: bytes, content_type: str, parameters: Mapping[str, str] | None = None
    ) -> None:
        """Send a write as it stands."""
        headers = {"Content-Type": content_type}
        async with self._free, self._session.request(method, path, params=parameters, data=body, headers=headers) as response:
            await _check(response)

    async def merge(self, resource: ApiResource, key: Key, patch: Mapping[str, Any]) -> None:
        """Merge a patch into an object."""
        body = json.dumps(patch).encode()
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._free, self._session.patch(resource.path(*key), data=body, headers=headers) as response:
            await _check(response)

    async def delete(self, resource: ApiResource, key: Key) -> None:
        """Delete an object and what it owns."""
        async with self._free, self._session.delete(resource.path(*key)) as response:
            await _check(response)

    async def get(self, resource: ApiResource, key: Key) -> dict[str, Any]:
        """Return an object."""
        async with self._free, self._session.get(resource.path(*key)) as response:
            await _check(response)
            item: dict[str, Any] = await response.json()
            return item

    async def column(self, resource: ApiResource, namespace: str, title: str) -> list[str | None]:
        """Return a column of the table that kubectl shows; the objects themselves are not sent."""
        return [cell for (cell,) in await self.columns(resource, namespace, title)]

    async def columns(self, resource: ApiResource, namespace: str, *titles: str) -> list[tuple[str | None, ...]]:
        """Return some columns of that table, row by row, as they were at one time."""
        headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        path, parameters = resource.path(namespace), {"includeObject": "None"}
        async with self._free, self._session.get(path, params=parameters, headers=headers) as response:
            await _check(response)
            table: dict[str, Any] = await response.json()
        names = [column["name"] for column in table["columnDefinitions"]]
        places = [names.index(title) for title in titles]
        return [tuple(row["cells"][place] for place in places) for row in table["rows"] or ()]

    async def exists(self, resource: ApiResource, key: Key) -> bool:
        """Whether the object is there."""
        async with self._free, self._session.get(resource.path(*key)) as response:
            if response.status == HTTPStatus.NOT_FOUND:
                return False
            await _check(response)
            return True

    async def list(self, resource: ApiResource) -> dict[str, Any]:
        """Return all objects of a kind."""
        async with self._session.get(resource.path()) as response:
            await _check(response)
            listed: dict[str, Any] = await response.json()
            return listed

    async def follow(self, resource: ApiResource) -> AsyncIterator[dict[str, Any]]:
        """Yield all objects of a kind, and each one again when it changes, without an end."""
        while True:
            listed = await self.list(resource)
            for item in listed["items"]:
                yield item
            async for event in self.events(resource, {"resourceVersion": listed["metadata"]["resourceVersion"]}):
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]

    async def events(self, resource: ApiResource, parameters: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a watch until the server ends it."""
        wanted = {"watch": "true", "allowWatchBookmarks": "true", **parameters}
        async with self._session.get(resource.path(), params=wanted) as response:
            await _check(response)
            async for line in response.content:
                yield json.loads(line)

    async def first_seen(
        self, resource: ApiResource, wanted: set[Key], holds: Callable[[Mapping[str, Any]], bool], tell: Callable[[int], None]
    ) -> dict[Key, float]:
        """Return when each wanted object was first seen in a state that `holds`, in seconds since 1970."""
        seen: dict[Key, float] = {}
        async for item in self.follow(resource):
            key = item["metadata"]["namespace"], item["metadata"]["name"]
            if key in wanted and key not in seen and holds(item):
                seen[key] = time.time()
                tell(len(seen))
            if len(seen) == len(wanted):
                break
        return seen

    async def _apply(self, path: str, body: bytes) -> None:
        parameters = {"fieldManager": _MANAGER, "force": "true"}
        async with self._free, self._session.patch(path, params=parameters, data=body, headers=_HEADERS) as response:
            await _check(response)


@asynccontextmanager
async def connect(kubeconfig: str) -> AsyncIterator[BareClient]:
    """Open a client with the address and the token in the text of a kubeconfig of e2e/cluster."""
    configuration = yaml.safe_load(kubeconfig)
    cluster, user = configuration["clusters"][0]["cluster"], configuration["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    async with aiohttp.ClientSession(
        base_url=cluster["server"],
        headers={"Authorization": f"Bearer {user['token']}"},
        connector=aiohttp.TCPConnector(ssl=context, limit=IN_FLIGHT + 8),
        timeout=aiohttp.ClientTimeout(total=None, connect=30),
        read_bufsize=2**24,  # a line of a watch is one object
    ) as session:
        yield BareClient(session)


def _path(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    if manifest["kind"] == "Namespace":
        return f"/api/v1/namespaces/{metadata['name']}"
    return BY_KIND[manifest["kind"]].resource.path(metadata["namespace"], metadata["name"])


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status >= HTTPStatus.BAD_REQUEST:
        words = (await response.text())[:500]
        raise BenchmarkError(f"{response.method} {response.url.path}: {response.status} {words}")
