"""When the routes of the list of models are written: not before all is known, once, and again after a rejection or an edit."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.unit.factories import NAMESPACE, applied_fields, gateway, gateway_class
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.controller.model_index.index_reconciler import ModelIndexReconciler
from workspace_ctrl.kube.errors import RejectedError, RetryableError
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.plan_settings import ModelIndexSettings, PlanSettings
from workspace_ctrl.settings.process import Settings

GATEWAY = gateway()
INDEX = ModelIndexSettings(enabled=True, service_namespace="system", service="ctrl-models")
SERVICE = {"metadata": {"name": "ctrl-models", "namespace": "system", "uid": "s", "resourceVersion": "1"}, "spec": {}}
CLAIMS = frozenset({RouteClaim(GATEWAY.key, "http", "", "/a/b")})


class ApiServer:
    """Has the Service; keeps the routes that are applied, unless it has errors to raise."""

    def __init__(self, *services):
        self.services, self.version = services, 1
        self.errors = []
        self.writes = asyncio.Queue()

    async def watch(self, resource, *_, **__):
        for item in self.services if resource.kind == "Service" else ():
            yield {"type": "ADDED", "object": item}
        annotations = {"k8s.io/initial-events-end": "true"}
        yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1", "annotations": annotations}}}
        await asyncio.Event().wait()

    async def apply(self, _resource, manifest, *, force):
        self.writes.put_nowait(("apply", manifest["metadata"]["name"], force))
        if self.errors:
            raise self.errors.pop(0)
        self.version += 1
        stored = {**manifest["metadata"], "uid": "r", "resourceVersion": str(self.version)}
        return {**manifest, "metadata": {**stored, "managedFields": [applied_fields(manifest)]}}

    async def delete(self, _resource, _namespace, name, uid):
        self.writes.put_nowait(("delete", name, uid))


@asynccontextmanager
async def running(server, *, refusal_interval=0.01):
    """The reconciler of a cluster with one Gateway, and what it reports."""
    cache, reported = Cache(), asyncio.Queue()
    cache.gateways.put((NAMESPACE, GATEWAY.meta.ref.name), GATEWAY, 1)
    cache.gateway_classes.put(("", "istio"), gateway_class(), 1)
    settings = Settings(plan=PlanSettings(gateway_extension=True, model_index=INDEX), refusal_interval=refusal_interval)
    reconciler = ModelIndexReconciler(server, cache, settings, frozenset, lambda states: reported.put_nowait(dict(states)))
    tasks = [asyncio.create_task(informer.run()) for informer in reconciler.informers]
    async with asyncio.timeout(10):
        await asyncio.gather(*(informer.wait_synced() for informer in reconciler.informers))
        tasks.append(asyncio.create_task(reconciler.run()))
        yield reconciler, reported
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def claimed(*claims):
    index = RouteClaimIndex(lambda _key: None)
    index.set(("a", "b"), "1", frozenset(claims) or CLAIMS)
    return index


async def test_nothing_is_written_before_there_was_a_pass_over_each_workspace():
    server, index = ApiServer(SERVICE), claimed()
    async with running(server) as (reconciler, reported):
        reconciler.note(index.places, all_told=False)
        assert await reconciler._look() is None
        assert server.writes.empty()
        reconciler.note(index.places, all_told=True)
        assert (await server.writes.get())[0] == "apply"
        assert await reported.get() == {"Attached": 1}


async def test_the_route_goes_with_the_last_model_and_is_written_once():
    server, index = ApiServer(SERVICE), claimed()
    async with running(server) as (reconciler, reported):
        reconciler.note(index.places, all_told=True)
        _, name, force = await server.writes.get()
        assert force is False
        await reported.get()
        index.forget(("a", "b"))
        reconciler.note(index.places, all_told=True)
        assert await server.writes.get() == ("delete", name, "r")
        assert await reported.get() == {}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(RejectedError("quota exceeded"), [{"ApplyRefused": 1}, {"Attached": 1}], id="rejected"),
        pytest.param(RetryableError("busy"), [{"Attached": 1}], id="temporary"),
    ],
)
async def test_a_write_that_failed_is_tried_again(error, said, monkeypatch):
    monkeypatch.setattr("workspace_ctrl.controller.model_index.index_reconciler._RETRY_SECONDS", 0.01)
    server, index = ApiServer(SERVICE), claimed()
    server.errors.append(error)
    async with running(server) as (reconciler, reported):
        reconciler.note(index.places, all_told=True)
        assert [await reported.get() for _ in said] == said
        for _ in range(2):
            assert (await server.writes.get())[0] == "apply"


async def test_without_the_service_nothing_is_written_as_its_routes_go_with_it():
    server = ApiServer()
    async with running(server) as (reconciler, _):
        reconciler.note(claimed().places, all_told=True)
        assert await reconciler._look() is None
        assert server.writes.empty()
