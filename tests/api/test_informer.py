"""The informer against a real API server: what it tells, also after it was away."""

import asyncio

import pytest
import yaml

from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import Resource
from workspace_ctrl.kube.store import Store

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
THING = Resource("late.example", "v1", "things", "Thing")
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


class Watched:
    """An informer, its store, and what it told."""

    def __init__(self, client, resource, selector="", store=None):
        self.store = store or Store(lambda _record: None)
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.served: asyncio.Queue[bool] = asyncio.Queue()
        source = Source(resource, lambda raw, _kind: raw["metadata"]["name"] + str(raw.get("data", "")), selector)
        self.informer = Informer(
            client, source, self.store, self.told.put_nowait, lambda: self.served.put_nowait(not self.informer.is_missing)
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.informer.run())
        await asyncio.wait_for(self.informer.wait_synced(), 30)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def next(self, beginning):
        """The next that is told and begins so."""
        while True:
            record = await asyncio.wait_for(self.told.get(), 30)
            if record.startswith(beginning):
                return record


@pytest.fixture
def kubectl(plane, plane_namespace):
    return lambda *arguments, **options: plane.kubectl(*arguments, "-n", plane_namespace, **options)


async def test_it_tells_of_creation_change_and_deletion(client, kubectl):
    async with Watched(client, CONFIG_MAP) as watched:
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
        plane.kubectl("wait", "crd/things.late.example", "--for=condition=Established", "--timeout=30s")
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
