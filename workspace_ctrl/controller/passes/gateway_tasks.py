"""What is reconciled beside the passes, as it belongs to Gateways and not to Workspaces: body-based routers, and the list of models."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.controller.body_router_reconciler import BodyRouterReconciler, NoBodyRouterReconciler
from workspace_ctrl.controller.model_index.index_reconciler import ModelIndexReconciler, NoModelIndexReconciler
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer
from workspace_ctrl.settings.process import Settings


class GatewayTasks:
    """The reconcilers of both, as far as the settings enable them."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        settings: Settings,
        missing_kinds: Callable[[], frozenset[str]],
        *,
        routers_changed: Callable[[], None],
        index_changed: Callable[[Mapping[str, int]], None],
        body_routers: bool,
    ) -> None:
        """Make them; `body_routers` is whether there are body-based routers to manage.

        `missing_kinds` returns the kinds that are unavailable. `routers_changed` is called when the state of a router changes, and
        `index_changed` with the number of Gateways in each state of the list of models.
        """
        routers = BodyRouterReconciler if body_routers else NoBodyRouterReconciler
        self.routers = routers(client, cache, settings, missing_kinds, routers_changed)
        index = ModelIndexReconciler if settings.plan.lists_models else NoModelIndexReconciler
        self._index = index(client, cache, settings, missing_kinds, index_changed)

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """The informers of all that they read besides the cache."""
        return tuple(chain(self.routers.informers, self._index.informers))

    def note(self, claims: RouteClaimIndex, *, all_told: bool) -> None:
        """Take in what Workspaces claim on Gateways, and whether there was a pass over every Workspace."""
        self.routers.note(claims.gateways_by_header, all_told=all_told)
        self._index.note(claims.places, all_told=all_told)

    def enqueue(self) -> None:
        """Reconcile all soon."""
        self.routers.enqueue()
        self._index.enqueue()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.routers.run(), name="body-based routers")
            group.create_task(self._index.run(), name="list of models")
