"""Which of the watched kinds this process can list, and in which namespaces; determined before the watches start."""

import logging
from typing import Any

from workspace_ctrl.cache.watches import GATEWAY_SIDE, WATCHED, WatchedKind
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError
from workspace_ctrl.settings.workspace_scope import Scope

logger = logging.getLogger(__name__)


def watched_namespaces(scope: Scope, watched: WatchedKind[Any], *, namespaced_only: frozenset[str]) -> tuple[str, ...]:
    """Return the namespaces in which a kind is watched; empty for the whole cluster.

    Gateways and their proxies are often in namespaces of their own, so they are watched in the whole cluster, unless their store is in
    `namespaced_only`.
    """
    if not watched.resource.namespaced or (watched.concerns_all and watched.name not in namespaced_only):
        return ()
    return scope.namespaces


async def find_unavailable(client: Client, scope: Scope) -> frozenset[str]:
    """Return the stores of the gateway side that cannot be filled; called once by a process with the feature gate off.

    Kinds that can be listed are watched, because the gate may have been on before, and objects have to be removed then.

    Raises:
        ApiError: the request failed.
    """
    unavailable = set()
    for watched in WATCHED:
        if watched.name in GATEWAY_SIDE:
            namespace = scope.namespaces[0] if scope.namespaces and watched.resource.namespaced else ""
            try:
                await client.list_page(watched.resource, {"limit": "1"}, namespace, metadata_only=True)
            except (KindNotServedError, ForbiddenError):
                unavailable.add(watched.name)
    return frozenset(unavailable)


async def find_namespaced_only(client: Client, scope: Scope) -> frozenset[str]:
    """Return the stores of Gateways and their proxies that RBAC allows to list only in the namespaces of the scope.

    Raises:
        ApiError: the request failed.
    """
    if not scope.namespaces:
        return frozenset()
    namespaced_only = set()
    for watched in WATCHED:
        if watched.concerns_all and watched.resource.namespaced:
            try:
                await client.list_page(watched.resource, {"limit": "1", "labelSelector": watched.selector})
            except KindNotServedError:
                continue
            except ForbiddenError:
                namespaced_only.add(watched.name)
                logger.info("cannot list %s in all namespaces; watching only %s", watched.name, ", ".join(scope.namespaces))
    return frozenset(namespaced_only)
