"""Watches one Workspace or InferenceSet until something is true of it, or a list, through an informer.

It survives silence, broken watches and expired resource versions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Store
from workspace_ctrl.kube.tasks import first_completed
from workspace_ctrl.records.companion_status import with_our_status


class WorkspaceDeletedError(Exception):
    """The Workspace was deleted while it was watched."""


async def follow_list(
    client: Client, resource: ApiResource, namespace: str, selector: str, show: Callable[[Sequence[Json]], None]
) -> None:
    """Show all objects of a kind that match, and then those that have changed, until cancelled.

    Raises:
        ApiError: the API server cannot be reached at the start, or objects of the kind cannot be listed.
    """
    await client.list_page(resource, {"limit": "1"} | ({"labelSelector": selector} if selector else {}), namespace)
    listed: list[Json] = []
    changed: list[Json] = []
    news = asyncio.Event()

    def take(item: Json) -> None:
        (changed if informer.is_synced else listed).append(item)
        news.set()

    store: Store[Json] = Store(lambda _item: None)
    source = Source(resource, lambda item, _kind: with_our_status(item), selector=selector, namespace=namespace)
    informer: Informer[Json] = Informer(client, source, store, take, news.set)

    async def tell() -> None:
        await informer.wait_synced()
        changed[:0] = sorted(listed, key=_place)
        while True:
            await news.wait()
            news.clear()
            items = [*changed]
            changed.clear()
            if items:
                show(items)

    await first_completed(informer.run, tell)


def _place(item: Json) -> tuple[str, str]:
    return str(item["metadata"].get("namespace") or ""), str(item["metadata"]["name"])


class WorkspaceWatch:
    """A watch of the Workspace or InferenceSet of one name, which may not exist yet."""

    def __init__(self, client: Client, resource: ApiResource, namespace: str, name: str) -> None:
        """Make a watch of a kind in one namespace, or in all if it is empty; then the first namespace with such an object is used."""
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._name = name
        self._store: Store[Json] = Store(lambda _item: None)
        self._news = asyncio.Event()
        source = Source(
            resource,
            lambda item, kind: with_our_status({**item, "kind": kind}),  # the items of a list have none
            field_selector=f"metadata.name={name}",
            namespace=namespace,
        )
        self._informer = Informer(client, source, self._store, lambda _item: self._news.set(), self._news.set)
        self.current: Json | None = None
        """The latest state of the Workspace; None before it was created."""

    async def until(self, is_met: Callable[[Json], Awaitable[bool]]) -> None:
        """Call `is_met` with the current Workspace and with each change; return when it returns True.

        Raises:
            ApiError: the API server cannot be reached at the start, or, at any time, Workspaces cannot be listed and watched.
            WorkspaceDeletedError: it was there, and was deleted.
        """
        await self._check_access()
        await first_completed(self._informer.run, partial(self._follow, is_met))

    async def _follow(self, is_met: Callable[[Json], Awaitable[bool]]) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._informer.is_missing:  # first, as the informer then forgets the Workspace, which may well be there
                await self._raise_missing()
            elif (item := self._take()) is not None and await is_met(item):
                return

    def _take(self) -> Json | None:
        """Return the Workspace, or None before it was created."""
        keys = self._store.keys()
        if self.current is not None and not keys:
            raise WorkspaceDeletedError
        self.current = self._store.get(min(keys)) if keys else None
        return self.current

    async def _check_access(self) -> None:
        """Raise errors that an informer would retry forever, but that a user needs to see at once."""
        await self._client.find(self._resource, self._namespace, self._name)

    async def _raise_missing(self) -> None:
        await self._check_access()
        if self._informer.is_missing:
            kind, plural = self._resource.kind, f"{self._resource.plural}.{self._resource.group}"
            raise ForbiddenError(f"{kind}s can be listed, but not watched; grant the verb watch on {plural}")
