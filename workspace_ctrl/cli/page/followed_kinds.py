"""Follows all kinds of the page with informers, and says what of them cannot be read and why."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.cache.watches import GATEWAY, INFERENCE_SET, WORKSPACE
from workspace_ctrl.cli.arguments.object_names import INSTALL_CRDS
from workspace_ctrl.cli.page.live_objects import OF_ONE_NAMESPACE, LiveObjects, Notice
from workspace_ctrl.cli.page.page_object import PageObject, parse_page_object
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ForbiddenError, KindNotServedError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Store
from workspace_ctrl.kube.tasks import first_completed

_CHECK_SECONDS: Final = 4.0
"""Interval of the checks of the API server, while a browser is connected."""
_ANSWER_SECONDS: Final = 8.0
_SERVER: Final = "the API server"
_INSTALL: Final = {
    WORKSPACE.group: INSTALL_CRDS,
    GATEWAY.group: "install the Gateway API; workspace-ctrl doctor says which version",
}


PAGE_KINDS: Final = (WORKSPACE, INFERENCE_SET, GATEWAY)


@dataclass(frozen=True, slots=True)
class PageScope:
    """Which namespaces are shown."""

    namespace: str = ""
    """Empty for all."""
    fallback: str = ""
    """The namespace whose objects are shown of kinds that may not be listed in all; empty for none."""


async def follow_kinds(client: Client, scope: PageScope, live: LiveObjects, started: Callable[[], None]) -> None:
    """Keep `live` current until cancelled; `started` is called once the API server has answered.

    Raises:
        ApiError: the API server cannot be reached at the start, or refuses the credentials.
    """
    check = _ServerCheck(client, live)
    readable = await asyncio.gather(*(_readable(client, kind, scope) for kind in PAGE_KINDS))
    followed = [_FollowedKind(client, part, live, check.wake) for part in readable]

    async def tell_synced() -> None:
        await asyncio.gather(*(each.informer.wait_synced() for each in followed))
        live.complete()
        await check.run()

    started()
    await first_completed(tell_synced, *(each.run for each in followed))


@dataclass(frozen=True, slots=True)
class _Part:
    """The objects of one kind that are shown."""

    resource: ApiResource
    namespace: str
    """Empty for all."""
    notice: Notice | None = None
    """What is left out on purpose."""


async def _readable(client: Client, resource: ApiResource, scope: PageScope) -> _Part:
    """Return which objects of a kind are shown: those of the fallback if not all may be listed."""
    whole = _Part(resource, scope.namespace)
    try:
        await client.list_page(resource, {"limit": "1"}, scope.namespace)
    except KindNotServedError:
        return whole
    except ForbiddenError:
        if scope.namespace or not scope.fallback:
            return whole
        words = f"you may not list {resource.plural} of all namespaces; shown are those of namespace {scope.fallback}"
        way_out = f"another namespace: {OF_ONE_NAMESPACE}; your rights: kubectl auth can-i list {_long(resource)} -A"
        return _Part(resource, scope.fallback, Notice(words, way_out, is_error=False))
    return whole


class _FollowedKind:
    """One kind, from an informer into the page."""

    def __init__(self, client: Client, part: _Part, live: LiveObjects, broken: Callable[[], None]) -> None:
        """Prepare the informer; `broken` is called when its watch breaks."""
        self._client = client
        self._resource, self._namespace = part.resource, part.namespace
        self._notice = part.notice
        self._live = live
        self._served = asyncio.Event()
        self._store: Store[PageObject] = Store(lambda _found: None)
        self.informer: Informer[PageObject] = Informer(
            client,
            Source(part.resource, parse_page_object, namespace=part.namespace),
            self._store,
            self._changed,
            self._served.set,
            restarted=lambda cause: broken() if cause == "broken" else None,
        )

    async def run(self) -> None:
        """Follow the kind until cancelled."""
        await first_completed(self.informer.run, self._tell_missing)

    def _changed(self, found: PageObject) -> None:
        if self._store.get((found.namespace, found.name)) is None:
            self._live.remove(found.id)
        else:
            self._live.put(found)

    async def _tell_missing(self) -> None:
        while True:
            self._live.note(self._resource.plural, await self._problem() if self.informer.is_missing else self._notice)
            await self._served.wait()
            self._served.clear()

    async def _problem(self) -> Notice | None:
        """Return why the kind cannot be followed; None if it can, meanwhile."""
        kind, where = self._resource.kind, f" -n {self._namespace}" if self._namespace else " -A"
        rights = f"you need the verbs list and watch; see: kubectl auth can-i watch {_long(self._resource)}{where}"
        if not self._namespace:
            rights = f"for those of one namespace: {self._live.of_one_namespace}; {rights}"
        try:
            await self._client.list_page(self._resource, {"limit": "1"}, self._namespace)
        except KindNotServedError:
            return Notice(f"the cluster does not know {kind}s", _INSTALL[self._resource.group])
        except ForbiddenError as error:
            return Notice(f"you may not list {kind}s: {error}", rights)
        except ApiError as error:
            return Notice(f"{kind}s cannot be read: {error}", "this is tried again every 5 s")
        return Notice(f"you may list {kind}s, but not watch them", rights) if self.informer.is_missing else self._notice


class _ServerCheck:
    """Says when the API server cannot be reached: an informer only tries again."""

    def __init__(self, client: Client, live: LiveObjects) -> None:
        self._client = client
        self._live = live
        self._now = asyncio.Event()

    def wake(self) -> None:
        """Check at once."""
        self._now.set()

    async def run(self) -> None:
        """Check at intervals while a browser is connected."""
        while True:
            if self._live.is_watched:
                self._live.note(_SERVER, await self._problem())
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    await self._now.wait()
            self._now.clear()

    async def _problem(self) -> Notice | None:
        words = f"{_SERVER} {self._client.server} cannot be reached, so this page is outdated"
        way_out = f"it is tried again every {_CHECK_SECONDS:.0f} s; see: kubectl get --raw /version"
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._client.get_path("/version")
        except TimeoutError:
            return Notice(f"{words}: no response within {_ANSWER_SECONDS:.0f} s", way_out)
        except ForbiddenError:
            return None  # it has answered
        except ApiError as error:
            return Notice(f"{words}: {error}", way_out)
        return None


def _long(resource: ApiResource) -> str:
    return f"{resource.plural}.{resource.group}"
