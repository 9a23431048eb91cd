"""Reconciles the HTTPRoutes of the list of models: one task beside the workers, because they belong to Gateways, not to Workspaces.

Nothing is written before there was a pass over each Workspace: until then it is not known where models take the rest of the requests.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_places import RoutePlaces
from workspace_ctrl.cache.watches import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE
from workspace_ctrl.controller.model_index.index_objects import IndexObjects
from workspace_ctrl.controller.pass_throttle import Throttle
from workspace_ctrl.controller.repair_backoff import REPAIRS
from workspace_ctrl.kube.backoff import Backoff
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, RejectedError
from workspace_ctrl.kube.informer import Informer
from workspace_ctrl.model.model_index import IndexState
from workspace_ctrl.planning.gateway.model_index import IndexInputs, IndexPlan, is_as, plan_index
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.settings.process import Settings

logger = logging.getLogger(__name__)

_DECISIVE: Final = frozenset({GATEWAY.kind, GATEWAY_CLASS.kind, HTTP_ROUTE.kind})
"""While one of these kinds is unavailable, nothing is known about routes, which still work."""
_RETRY_SECONDS: Final = 2.0
"""Pause after a temporary error; there are few routes, and the client has retried already."""
_INTERVAL: Final = 0.3
"""Shortest time between two looks, in seconds: many Workspaces may change at once."""
_WORDS: Final = {
    IndexState.NOT_ALLOWED: "a listener accepts no routes from namespace {namespace}; allow them in its allowedRoutes",
    IndexState.TAKEN: "another route takes all requests that nothing more specific matches, so there is no list beside it",
    IndexState.NOT_SUPPORTED: "its GatewayClass does not route to Services",
    IndexState.TOO_MANY_HOSTNAMES: "it has too many host names, and some of them have no list",
    IndexState.REJECTED: "the API server rejects the route",
}


class NoModelIndexReconciler:
    """Stands for the reconciler where there is no list of models."""

    informers: Sequence[Informer[Any]] = ()

    def __init__(self, *_arguments: object) -> None:
        """Make it, whatever the arguments."""

    def note(self, places: RoutePlaces, *, all_told: bool) -> None:
        """Do nothing."""

    def enqueue(self) -> None:
        """Do nothing."""

    async def run(self) -> None:
        """Return at once."""


class ModelIndexReconciler:
    """Reconciles the routes of all Gateways with the places of models."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        settings: Settings,
        missing_kinds: Callable[[], frozenset[str]],
        changed: Callable[[Mapping[str, int]], None],
    ) -> None:
        """Make it; `changed` is called with the number of Gateways in each state when one of them has another one."""
        self._client = client
        self._cache = cache
        self._settings = settings
        self._index = settings.plan.model_index
        self._missing_kinds = missing_kinds
        self._changed = changed
        self._due = asyncio.Event()
        self._objects = IndexObjects(client, self._index, self._due.set)
        self._places = RoutePlaces()
        self._noted: tuple[int, bool] = (0, False)
        self._states: Mapping[str, IndexState] = {}
        self._repairs = Backoff(REPAIRS)
        self._refused: dict[str, tuple[str, float]] = {}
        """Name of a rejected route → its hash, and when it may be tried again."""
        self._deleted: set[str] = set()
        self.informers: Sequence[Informer[Any]] = self._objects.informers

    def note(self, places: RoutePlaces, *, all_told: bool) -> None:
        """Set where there are models, and whether there was a pass over every Workspace."""
        self._places = places
        if self._noted != (places.version, all_told):
            self._noted = places.version, all_told
            self._due.set()

    def enqueue(self) -> None:
        """Reconcile all routes soon."""
        self._due.set()

    async def run(self) -> None:
        """Reconcile until cancelled; errors of the API server are retried."""
        while True:
            self._due.clear()
            delay = await self._look()
            last = Throttle(_now())
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._due.wait()
            await asyncio.sleep(last.delay(_now(), _INTERVAL))

    async def _look(self) -> float | None:
        """Reconcile all routes once; return the seconds until the next time without an event, or None."""
        if not self._noted[1] or _DECISIVE & self._missing_kinds():
            return None
        owner = self._objects.service
        if owner is None:
            self._report({})  # the routes are deleted with their owner
            return None
        plan = self._plan(owner)
        live = self._objects.own_routes
        wanted = {ref_of(route).name: route for route in plan.routes}
        delays = [await self._keep(route, live.get(name)) for name, route in wanted.items()]
        delays += [await self._remove(meta) for name, meta in live.items() if name not in wanted]
        self._refused = {name: entry for name, entry in self._refused.items() if name in wanted}
        self._deleted &= {meta.uid for meta in live.values()}
        self._report(self._with_rejections(plan))
        return min((delay for delay in delays if delay is not None), default=None)

    def _plan(self, owner: Meta) -> IndexPlan:
        cache = self._cache
        inputs = IndexInputs(
            {gateway.key: gateway for gateway in cache.gateways.values()},
            {entry.meta.ref.name: self._settings.plan.profile_of(entry.controller) for entry in cache.gateway_classes.values()},
            {entry.meta.ref.name: entry for entry in cache.namespaces.values()},
            self._objects.all_routes,
        )
        return plan_index(self._index, owner, self._places.with_models, self._places.without_rest, inputs)

    async def _keep(self, route: Manifest, live: Meta | None) -> float | None:
        """Apply a route if it is not as wanted; return the seconds until it has to be tried again, or None."""
        name, wanted, now = ref_of(route).name, applied_hash(route), _now()
        if live is not None and (live.deleting or is_as(route, live)):
            self._refused.pop(name, None)
            return None
        hash_, retry_at = self._refused.get(name, ("", 0.0))
        if hash_ == wanted and now < retry_at:
            return retry_at - now
        if live is not None and live.applied_hash == wanted:
            if not self._repairs.is_due(now):
                return self._repairs.due_at - now
            self._repairs = self._repairs.again(now)
        return await self._apply(route, force=live is not None)

    async def _apply(self, route: Manifest, *, force: bool) -> float | None:
        ref = ref_of(route)
        try:
            logger.info("applying %s of the list of models", ref)
            self._objects.write_through(await self._client.apply(HTTP_ROUTE, route, force=force))
        except RejectedError as error:
            logger.warning("the list of models: %s: %s", ref, error.message)
            self._refused[ref.name] = applied_hash(route), _now() + self._settings.refusal_interval
            return self._settings.refusal_interval
        except ApiError as error:
            logger.warning("the list of models: %s; retrying", error)
            return max(_RETRY_SECONDS, error.retry_after)
        self._refused.pop(ref.name, None)
        return None

    async def _remove(self, meta: Meta) -> float | None:
        if meta.deleting or meta.uid in self._deleted:
            return None
        try:
            logger.info("deleting %s of the list of models, which has no place any more", meta.ref)
            await self._client.delete(HTTP_ROUTE, meta.ref.namespace, meta.ref.name, meta.uid)
        except ApiError as error:
            logger.warning("the list of models: %s; retrying", error)
            return max(_RETRY_SECONDS, error.retry_after)
        self._deleted.add(meta.uid)
        return None

    def _with_rejections(self, plan: IndexPlan) -> Mapping[str, IndexState]:
        parents = (route["spec"]["parentRefs"][0] for route in plan.routes if ref_of(route).name in self._refused)
        return {**plan.states, **{f"{parent['namespace']}/{parent['name']}": IndexState.REJECTED for parent in parents}}

    def _report(self, states: Mapping[str, IndexState]) -> None:
        if states == self._states:
            return
        for gateway, state in states.items():
            if state is not self._states.get(gateway) and state in _WORDS:
                words = _WORDS[state].format(namespace=self._index.service_namespace)
                logger.warning("the list of models on Gateway %s: %s (%s)", gateway, words, state)
        self._states = states
        self._changed(Counter(states.values()))


def _now() -> float:
    return asyncio.get_running_loop().time()
