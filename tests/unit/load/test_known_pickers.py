"""Which endpoint pickers KEDA is to ask for: those of ScaledObjects that a controller has written, in their own namespaces."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.http_server import listening
from tests.unit.load.watched_server import WatchedServer
from tests.unit.waiting import until
from workspace_ctrl.api.inference_set import ScalingTarget
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.load.known_pickers import KnownPickers, pickers_of
from workspace_ctrl.planning.autoscaling.triggers import MeasuredPool, triggers
from workspace_ctrl.planning.plan_settings import AutoscalingSettings


def scaled(namespace, *urls, name="phi"):
    metadata = {"namespace": namespace, "name": name, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"triggers": [{"type": "metrics-api", "metadata": {"url": url}} for url in urls]}}


@pytest.mark.parametrize("base", ["", "/base", "/load", "/load/load"])
@pytest.mark.parametrize("picker", ["phi-inferencepool-epp", "load"])
@pytest.mark.parametrize("namespace", ["team", "load"])
def test_the_trigger_that_is_written_is_understood(namespace, picker, base):
    pool = MeasuredPool(namespace, "phi-inferencepool", picker)
    settings = AutoscalingSettings(enabled=True, url=f"http://loads.example:8090{base}")
    written = triggers(ScalingTarget(), pool, settings, to_zero=True)
    assert pickers_of({"metadata": {"namespace": namespace}, "spec": {"triggers": written}}) == {(namespace, picker)}


@pytest.mark.parametrize(
    "url",
    [
        "http://c/load/other/x-epp",
        "http://c/load/team/x-epp/",
        "http://c/load/team/x-epp?a",
        "http://c/load/team/a.b",
        "http://c/load/team/../x",
        "http://c/load/team",
        "http://c/team/load",
        "load/team/x-epp",
        "/load/team/x-epp\n",
        "http://c/load/team/x#/load/other/y",
        "",
        None,
        5,
        "http://c/" + "x" * 5000 + "/load/team/x-epp",
    ],
)
def test_what_is_no_place_of_a_load_in_the_own_namespace_names_no_picker(url):
    assert pickers_of(scaled("team", url)) == frozenset()


_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "triggers", "url", "namespace"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), _ANYTHING))
def test_no_shape_of_an_object_ends_the_watch(raw):
    assert pickers_of(raw) == frozenset()


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
