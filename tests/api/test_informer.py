"""The informer against a real API server: what it tells, also after it was away."""

import asyncio
from types import SimpleNamespace

import pytest
import pytest_asyncio
import yaml

from e2e import workspaces
from e2e.waiting import WAIT_SECONDS
from tests.faults import proxy as faults
from workspace_ctrl.kube import informer
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Store

CONFIG_MAP = ApiResource("", "v1", "configmaps", "ConfigMap")
THING = ApiResource("late.example", "v1", "things", "Thing")
THING_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.late.example"},
    "spec": {
        "group": "late.example",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}


def read(raw, _kind):
    return raw["metadata"]["name"] + str(raw.get("data", ""))


class Watched:
    """An informer, its store, and what it told."""

    def __init__(self, client, resource, store=None, parse=read, **source):
        self.store = Store(lambda _record: None) if store is None else store
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.served: asyncio.Queue[bool] = asyncio.Queue()
        self.restarts: asyncio.Queue[str] = asyncio.Queue()
        self.informer = Informer(
            client,
            Source(resource, parse, **source),
            self.store,
            self.told.put_nowait,
            lambda: self.served.put_nowait(not self.informer.is_missing),
            restarted=self.restarts.put_nowait,
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.informer.run())
        await asyncio.wait_for(self.informer.wait_synced(), WAIT_SECONDS)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def next(self, beginning):
        """The next that is told and begins so."""
        while True:
            record = await asyncio.wait_for(self.told.get(), WAIT_SECONDS)
            if record.startswith(beginning):
                return record


@pytest_asyncio.fixture(loop_scope="session")
async def misbehaving(plane, tmp_path):
    """A proxy that can misbehave, and a connection through it."""
    async with faults.serving(plane.kubeconfig) as proxy:
        connection = open_connection(load_access(faults.kubeconfig_through(proxy, plane.kubeconfig, tmp_path), None))
        yield proxy, connection
        await connection.close()


@pytest.fixture
def proxied(misbehaving):
    """A proxy that can misbehave, and a client through it."""
    proxy, connection = misbehaving
    return proxy, Client(connection, "tester")


@pytest.fixture
def kubectl(plane, plane_namespace):
    return lambda *arguments, **options: plane.kubectl(*arguments, "-n", plane_namespace, **options)


async def test_it_tells_of_creation_change_and_deletion(client, kubectl, plane_namespace):
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        kubectl("create", "configmap", "one", "--from-literal=a=1")
        assert await watched.next("one") == "one{'a': '1'}"
        kubectl("patch", "configmap", "one", "--patch", '{"data":{"a":"2"}}')
        assert await watched.next("one") == "one{'a': '2'}"
        kubectl("delete", "configmap", "one")
        assert await watched.next("one") == "one{'a': '2'}"


async def test_what_was_deleted_while_it_was_away_is_told(client, kubectl, plane_namespace):
    kubectl("create", "configmap", "gone")
    kubectl("create", "configmap", "stays")
    async with Watched(client, CONFIG_MAP) as before:
        assert before.store.get((plane_namespace, "gone"))
    kubectl("delete", "configmap", "gone")
    async with Watched(client, CONFIG_MAP, store=before.store) as after:
        assert await after.next("gone") == "gone"
        assert after.store.get((plane_namespace, "stays")) == "stays"
        assert after.store.get((plane_namespace, "gone")) is None


async def test_the_server_selects_by_label(client, kubectl, plane_namespace):
    async with Watched(client, CONFIG_MAP, selector="mine=yes") as watched:
        kubectl("create", "configmap", "other")
        kubectl("create", "configmap", "it")
        kubectl("label", "configmap", "it", "mine=yes")
        assert await watched.next("") == "it"
        assert watched.store.keys() == ((plane_namespace, "it"),)
        kubectl("label", "configmap", "it", "mine-")
        assert await watched.next("") == "it"
        assert watched.store.keys() == ()


async def test_a_kind_that_comes_late_and_goes_again(client, plane, kubectl):
    async with Watched(client, THING) as watched:
        assert watched.informer.is_missing
        plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(THING_CRD))
        workspaces.wait_served(plane, "things.late.example")
        kubectl(
            "apply",
            "-f",
            "-",
            input=yaml.safe_dump({"apiVersion": "late.example/v1", "kind": "Thing", "metadata": {"name": "late"}}),
        )
        assert await watched.next("late") == "late"
        assert not watched.informer.is_missing
        plane.kubectl("delete", "crd", "things.late.example")
        assert await watched.next("late") == "late"
        assert watched.store.keys() == ()


async def test_the_list_comes_with_the_watch(proxied, kubectl, plane_namespace):
    proxy, client = proxied
    kubectl("create", "configmap", "early")
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        assert watched.store.get((plane_namespace, "early")) == "early"
        kubectl("create", "configmap", "later")
        assert await watched.next("later") == "later"
    assert [call.is_streamed_list for call in proxy.calls] == [True]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_streams_no_lists_is_asked_for_pages(proxied, kubectl, plane_namespace, status):
    proxy, client = proxied
    proxy.rule = lambda call: faults.Answer(status) if call.is_streamed_list else None
    kubectl("create", "configmap", "early")
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        kubectl("create", "configmap", "later")
        assert await watched.next("later") == "later"
        assert watched.store.get((plane_namespace, "early")) == "early"
    assert [(call.is_streamed_list, call.is_watch) for call in proxy.calls] == [(True, True), (False, False), (False, True)]


@pytest.mark.parametrize("streams", [True, False])
async def test_after_410_a_new_list_tells_of_what_went_meanwhile(proxied, kubectl, plane_namespace, streams):
    proxy, client = proxied
    kubectl("create", "configmap", "gone")
    proxy.rule = lambda call: faults.Answer(422) if call.is_streamed_list and not streams else None
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        kubectl("create", "configmap", "watched")
        await watched.next("watched")
        assert proxy.mute_watches() == 1
        kubectl("delete", "configmap", "gone")
        proxy.expire_watches()
        assert await asyncio.wait_for(watched.restarts.get(), WAIT_SECONDS) == "expired"
        assert await watched.next("gone") == "gone"
        assert (plane_namespace, "gone") not in set(watched.store.keys())


async def test_a_watch_that_breaks_goes_on_where_it_was(proxied, kubectl, plane_namespace):
    proxy, client = proxied
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        kubectl("create", "configmap", "one")
        await watched.next("one")
        assert proxy.cut_watches() == 1
        assert await asyncio.wait_for(watched.restarts.get(), WAIT_SECONDS) == "broken"
        kubectl("create", "configmap", "two")
        assert await watched.next("two") == "two"
    assert sum(call.is_streamed_list for call in proxy.calls) == 1
    assert {call.is_watch for call in proxy.calls} == {True}


async def test_a_watch_that_falls_silent_is_noticed(misbehaving, kubectl, plane_namespace):
    proxy, connection = misbehaving
    client = Client(connection, "tester", silence_seconds=1)
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        proxy.mute_watches()
        kubectl("create", "configmap", "unheard")
        assert await watched.next("unheard") == "unheard"
        assert watched.restarts.get_nowait() == "broken"


async def test_a_server_that_turns_watches_away_is_not_asked_in_a_hot_loop(proxied, plane_namespace, monkeypatch):
    proxy, client = proxied
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(informer, "_JITTER", (1.0, 1.0))
    monkeypatch.setattr(informer, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    async with Watched(client, CONFIG_MAP, namespace=plane_namespace) as watched:
        proxy.rule = lambda call: faults.Answer(503) if call.is_watch else None
        proxy.cut_watches()
        causes = [await asyncio.wait_for(watched.restarts.get(), WAIT_SECONDS) for _ in range(4)]
        assert causes == ["broken"] * 4
        first, second, third = pauses[:3]
        assert 0 < first < second < third


async def test_only_metadata_is_sent_where_nothing_else_is_read(client, kubectl, plane_namespace):
    kubectl("create", "configmap", "large", "--from-literal=a=1")

    def keys(raw, _kind):
        return raw["metadata"]["name"] + ",".join(sorted(raw))

    async with Watched(client, CONFIG_MAP, parse=keys, namespace=plane_namespace, metadata_only=True) as watched:
        assert await watched.next("large") == "largeapiVersion,kind,metadata"
    page = await client.list_page(CONFIG_MAP, {}, plane_namespace, metadata_only=True)
    assert {frozenset(item) for item in page["items"]} <= {
        frozenset({"metadata"}),
        frozenset({"apiVersion", "kind", "metadata"}),
    }
