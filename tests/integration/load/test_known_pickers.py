"""Which endpoint pickers KEDA is to ask for, as ScaledObjects come and go."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.integration.http_server import listening
from tests.integration.load.watched_server import WatchedServer
from tests.integration.waiting import until
from tests.unit.load.test_known_pickers import scaled
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.load.known_pickers import KnownPickers


@asynccontextmanager
async def followed(cluster, namespaces=()):
    async with listening(cluster.answer, handler_cancellation=True) as port, aiohttp.ClientSession() as session:
        pickers = KnownPickers(Client(Connection(f"http://127.0.0.1:{port}", session), "tester"), namespaces)
        running = asyncio.create_task(pickers.run())
        try:
            yield pickers
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_pickers_are_known_while_a_scaled_object_names_them():
    cluster = WatchedServer(scaled("team", "http://c/load/team/phi-epp"))
    cluster.listable.clear()
    async with followed(cluster) as pickers:
        assert pickers.has("team", "phi-epp") is None
        cluster.listable.set()
        await until(lambda: pickers.has("team", "phi-epp"))
        assert (pickers.has("other", "phi-epp"), pickers.has("team", "psi-epp")) == (False, False)
        cluster.send("ADDED", scaled("team", "http://c/load/team/psi-epp", name="psi"))
        await until(lambda: pickers.has("team", "psi-epp"))
        cluster.send("DELETED", scaled("team", "http://c/load/team/phi-epp"))
        await until(lambda: not pickers.has("team", "phi-epp"))
        assert pickers.has("team", "psi-epp")
    assert cluster.asked == {("/apis/keda.sh/v1alpha1/scaledobjects", "app.kubernetes.io/managed-by=workspace-ctrl", None)}


async def test_only_the_namespaces_of_the_scope_are_followed():
    cluster = WatchedServer()
    async with followed(cluster, ("a", "b")) as pickers:
        await until(lambda: pickers.has("a", "x-epp") is False)
    paths = {f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects" for namespace in ("a", "b")}
    assert {path for path, *_ in cluster.asked} == paths


@pytest.mark.parametrize("status", [403, 404])
async def test_without_keda_or_the_right_to_its_objects_no_picker_is_known(status):
    async with followed(WatchedServer(status=status)) as pickers:
        await until(lambda: pickers.has("team", "phi-epp") is False)
