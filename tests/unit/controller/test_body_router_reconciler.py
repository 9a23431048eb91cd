"""Which Gateways are used by header, and what is reported of their routers."""

import asyncio

from tests.unit.factories import NAMESPACE, applied_fields, gateway, gateway_class
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.controller.body_router_reconciler import BodyRouterReconciler
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.gateway.body_router import router_source
from workspace_ctrl.planning.plan_settings import BodyRoutingSettings, PlanSettings
from workspace_ctrl.settings.process import Settings

BY_PATH = RouteClaim("g/one", "http", "", "/a/b")
HEADER = RouteClaim("g/one", "http", "", "/", "X-Gateway-Model-Name=phi")
BASE = RouteClaim("g/one", "http", "", "/", "X-Gateway-Base-Model-Name=phi")
OTHER = RouteClaim("g/two", "http", "", "/", "X-Gateway-Model-Name=poet")
GATEWAY = gateway()


class ApiServer:
    """Has no objects at first, and rejects every write."""

    def __init__(self):
        self.created = {kind: asyncio.Queue() for kind in ("OCIRepository", "HelmRelease", "Deployment")}

    async def watch(self, resource, *_, **__):
        annotations = {"k8s.io/initial-events-end": "true"}
        yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1", "annotations": annotations}}}
        while True:
            yield {"type": "ADDED", "object": await self.created[resource.kind].get()}

    async def apply(self, *_, **__):
        raise RejectedError("quota exceeded")


async def test_a_rejection_is_reported_no_longer_than_the_object_has_to_be_applied():
    """A replica or a user may have created it in the meantime, just as it has to be."""
    server, cache, reported = ApiServer(), Cache(), asyncio.Queue()
    cache.gateways.put((NAMESPACE, GATEWAY.meta.ref.name), GATEWAY, 1)
    cache.gateway_classes.put(("", "istio"), gateway_class(controller="example.com/x"), 1)
    routing = BodyRoutingSettings(managed=True)
    settings = Settings(plan=PlanSettings(gateway_extension=True, body_routing=routing, gateway_classes={"example.com/x": "istio"}))
    reconciler = BodyRouterReconciler(
        server, cache, settings, frozenset, lambda: reported.put_nowait(reconciler.states[GATEWAY.key].reason)
    )
    reconciler.note(frozenset({GATEWAY.key}), all_told=False)
    tasks = [asyncio.create_task(informer.run()) for informer in reconciler.informers]
    async with asyncio.timeout(5):
        await asyncio.gather(*(informer.wait_synced() for informer in reconciler.informers))
        tasks.append(asyncio.create_task(reconciler.run()))
        while await reported.get() != "ApplyRefused":
            pass
        source = router_source(GATEWAY.ref, routing)
        source["metadata"] |= {"uid": "u", "resourceVersion": "2", "managedFields": [applied_fields(source)]}
        server.created["OCIRepository"].put_nowait(source)
        assert await reported.get() == "FetchingChart"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_gateway_is_used_by_header_until_the_last_workspace_lets_go():
    index = RouteClaimIndex(lambda _key: None)
    index.set(("a", "first"), "1", frozenset({BY_PATH}))
    assert index.gateways_by_header == frozenset()
    index.set(("a", "first"), "1", frozenset({BY_PATH, HEADER, BASE}))
    index.set(("a", "second"), "2", frozenset({HEADER, OTHER}))
    assert index.gateways_by_header == {"g/one", "g/two"}
    index.set(("a", "second"), "2", frozenset({OTHER}))
    assert index.gateways_by_header == {"g/one", "g/two"}
    index.set(("a", "first"), "1", frozenset({BY_PATH}))
    assert index.gateways_by_header == {"g/two"}
    index.forget(("a", "second"))
    assert index.gateways_by_header == frozenset()
    index.forget(("a", "second"))
    assert index.gateways_by_header == frozenset()


def test_a_workspace_that_was_made_anew_is_counted_once():
    index = RouteClaimIndex(lambda _key: None)
    index.set(("a", "first"), "1", frozenset({HEADER}))
    index.set(("a", "first"), "2", frozenset({HEADER}))
    index.forget(("a", "first"))
    assert index.gateways_by_header == frozenset()
