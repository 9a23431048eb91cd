"""Referenced objects are watched together: few connections, and only the objects that are referenced are kept."""

import asyncio
import itertools
import json
from collections import Counter
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.integration.http_server import listening, not_served
from tests.integration.waiting import until
from workspace_ctrl.api.inference_spec import WorkloadRef
from workspace_ctrl.cache import dynamic_watches
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.shared_watches import MOST_NAMESPACES
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.model.dependencies import Dependencies

DEPLOYMENT = WorkloadRef(api_version="apps/v1", kind="Deployment", name="server")


class ApiServer:
    """Lists and watches objects of any kind as an API server does, as far as informers need it."""

    def __init__(self):
        self.objects, self.versions = {}, itertools.count(1)
        self.version = 0
        self.watches, self.lists = {}, Counter()
        self.missing, self.held = set(), asyncio.Event()
        self.held.set()

    def put(self, plural, namespace, name, **fields):
        self.version = next(self.versions)
        metadata = {"namespace": namespace, "name": name, "resourceVersion": str(self.version), "labels": fields.pop("labels", {})}
        before = self.objects.get((plural, namespace, name))
        self.objects[plural, namespace, name] = raw = {"metadata": metadata, **fields}
        self._send(plural, namespace, "MODIFIED" if before else "ADDED", raw)

    def delete(self, plural, namespace, name):
        raw = self.objects.pop((plural, namespace, name))
        self.version = next(self.versions)
        self._send(plural, namespace, "DELETED", {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(self.version)}})

    def _send(self, plural, namespace, type_, raw):
        for (watched, place, _), queue in self.watches.items():
            if watched == plural and place in {"", namespace}:
                queue.put_nowait({"type": type_, "object": raw})

    async def answer(self, request):
        *_, plural = path = request.path.strip("/").split("/")
        namespace = path[path.index("namespaces") + 1] if "namespaces" in path else ""
        if path in (["apis", "apps", "v1"], ["apis", "example.com", "v1"]):
            kinds = [("Deployment", "deployments"), ("Server", "servers")]
            return web.json_response({"resources": [{"kind": kind, "name": name, "namespaced": True} for kind, name in kinds]})
        if plural in self.missing or "gone.example.com" in path:
            return await not_served(request)
        if request.query.get("watch"):
            return await self._watch(request, plural, namespace)
        await self.held.wait()
        self.lists[plural, namespace, request.query.get("fieldSelector", request.query.get("labelSelector", ""))] += 1
        version = str(self.version)
        items = [raw for (kind, place, _), raw in self.objects.items() if kind == plural and namespace in {"", place}]
        return web.json_response(
            {"metadata": {"resourceVersion": version}, "items": [raw for raw in items if self._selected(raw, request.query)]}
        )

    @staticmethod
    def _selected(raw, query):
        labels = [pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair]
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        return name in {"", raw["metadata"]["name"]} and all(raw["metadata"]["labels"].get(key) == value for key, value in labels)

    async def _watch(self, request, plural, namespace):
        if "sendInitialEvents" in request.query:
            return web.json_response({"kind": "Status", "message": "not supported"}, status=400)
        response = web.StreamResponse()
        await response.prepare(request)
        identity, queue = (plural, namespace, object()), asyncio.Queue()
        self.watches[identity] = queue
        try:
            while True:
                await response.write(json.dumps(await queue.get()).encode() + b"\n")
        finally:
            del self.watches[identity]

    @property
    def open(self):
        """What is watched: kind and namespace, empty for all, → number of connections."""
        return Counter((plural, namespace) for plural, namespace, _ in self.watches)


class Told:
    def __init__(self):
        self.keys, self.again = Counter(), asyncio.Event()

    def __call__(self, key):
        self.keys[key] += 1
        self.again.set()


@asynccontextmanager
async def following(*, cluster_wide=True):
    server, told = ApiServer(), Told()
    async with (
        listening(server.answer, handler_cancellation=True) as port,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        client = Client(Connection(f"http://127.0.0.1:{port}", session), "tester")
        watches = DynamicWatches(client, told, cluster_wide=cluster_wide)
        yield server, watches, told
        await watches.close()


def referencing(name, **more):
    reference = WorkloadRef(api_version="apps/v1", kind="Deployment", name=name)
    return Dependencies(reference=reference, pods={"app": name}, **more)


def deploy(server, namespace, name):
    server.put("deployments", namespace, name, spec={"selector": {"matchLabels": {"app": name}}})
    server.put("pods", namespace, f"{name}-0", labels={"app": name}, status={})


def pods(watches, key):
    return [pod.meta.ref.name for pod in watches.of(key).pods]


async def test_420_workspaces_of_one_namespace_need_one_connection_for_each_kind():
    async with following() as (server, watches, _):
        keys = [("team-a", f"w{number}") for number in range(420)]
        for _, name in keys:
            deploy(server, "team-a", name)
        for key in keys:
            watches.follow(key, referencing(key[1], route="mine", pool="mine"))
        await until(lambda: all(map(watches.is_synced, keys)) and len(server.watches) == 4)
        assert server.open == {
            ("deployments", "team-a"): 1,
            ("pods", "team-a"): 1,
            ("httproutes", "team-a"): 1,
            ("inferencepools", "team-a"): 1,
        }
        assert all(watches.of(key).workload.meta.ref.name == key[1] for key in keys)
        assert all(pods(watches, key) == [f"{key[1]}-0"] for key in keys)


@pytest.mark.parametrize(("cluster_wide", "connections"), [(True, MOST_NAMESPACES + 1), (False, 420)])
async def test_420_namespaces_share_a_connection_where_the_whole_cluster_may_be_watched(cluster_wide, connections):
    async with following(cluster_wide=cluster_wide) as (server, watches, _):
        keys = [(f"team-{number}", "phi") for number in range(420)]
        for key in keys:
            server.put("pods", key[0], "server", labels={"app": "phi"}, status={})
            watches.follow(key, Dependencies(pods={"app": "phi"}))
        await until(lambda: all(map(watches.is_synced, keys)) and len(server.watches) == connections)
        assert all(pods(watches, key) == ["server"] for key in keys)


async def test_only_referenced_objects_are_kept():
    async with following() as (server, watches, _):
        for number in range(1000):
            server.put("pods", "team-a", f"other-{number}", labels={"app": "other"}, status={})
        deploy(server, "team-a", "phi")
        watches.follow(("team-a", "phi"), referencing("phi"))
        await until(lambda: watches.is_synced(("team-a", "phi")))
        server.put("pods", "team-a", "other-0", labels={"app": "other"}, status={"phase": "Running"})
        server.put("pods", "team-a", "phi-1", labels={"app": "phi"}, status={})
        await until(lambda: pods(watches, ("team-a", "phi")) == ["phi-0", "phi-1"])
        (shared,) = watches._kinds["pods"]._watches.values()
        assert len(shared._records) == 2


async def test_who_comes_later_gets_objects_that_were_dropped_by_a_list_of_these_alone():
    async with following() as (server, watches, told):
        for name in ("one", "two"):
            deploy(server, "team-a", name)
        watches.follow(("team-a", "one"), Dependencies(pods={"app": "one"}))
        await until(lambda: watches.is_synced(("team-a", "one")) and server.open)
        watches.follow(("team-a", "two"), Dependencies(pods={"app": "two"}))
        assert not watches.is_synced(("team-a", "two"))
        await until(lambda: watches.is_synced(("team-a", "two")))
        assert (pods(watches, ("team-a", "two")), told.keys["team-a", "two"]) == (["two-0"], 2)
        assert server.lists == {("pods", "team-a", ""): 1, ("pods", "team-a", "app=two"): 1}
        watches.follow(("team-a", "same"), Dependencies(pods={"app": "one"}))
        assert pods(watches, ("team-a", "same")) == ["one-0"]
        watches.follow(("team-a", "wider"), Dependencies(pods={"app": "one", "x": "y"}))
        await until(lambda: watches.is_synced(("team-a", "wider")))
        assert pods(watches, ("team-a", "wider")) == []


async def test_an_object_that_goes_while_it_is_read_does_not_come_back():
    async with following() as (server, watches, _):
        deploy(server, "team-a", "one")
        watches.follow(("team-a", "one"), Dependencies(pods={"app": "one"}))
        await until(lambda: watches.is_synced(("team-a", "one")) and server.open)
        server.put("pods", "team-a", "two-0", labels={"app": "two", "tier": "x"}, status={})
        watches.follow(("team-a", "two"), Dependencies(pods={"app": "two"}))
        await until(lambda: pods(watches, ("team-a", "two")) == ["two-0"])
        server.held.clear()
        watches.follow(("team-a", "tier"), Dependencies(pods={"tier": "x"}))
        server.delete("pods", "team-a", "two-0")
        await until(lambda: pods(watches, ("team-a", "two")) == [])
        server.held.set()
        await until(lambda: watches.is_synced(("team-a", "tier")))
        assert pods(watches, ("team-a", "tier")) == []


async def test_those_are_told_whom_a_change_concerns_before_or_after_it():
    async with following() as (server, watches, told):
        keys = [("team-a", name) for name in ("one", "two", "three")]
        server.put("pods", "team-a", "pod", labels={"app": "one"}, status={})
        for key in keys:
            watches.follow(key, Dependencies(pods={"app": key[1]}))
        await until(lambda: all(map(watches.is_synced, keys)) and server.open)
        told.keys.clear()
        server.put("pods", "team-a", "pod", labels={"app": "two"}, status={})
        await until(lambda: pods(watches, keys[1]) == ["pod"])
        assert (told.keys, pods(watches, keys[0])) == ({keys[0]: 1, keys[1]: 1}, [])
        server.delete("pods", "team-a", "pod")
        await until(lambda: pods(watches, keys[1]) == [])
        assert told.keys == {keys[0]: 1, keys[1]: 2}


async def test_watches_end_with_the_last_who_references_anything_and_so_does_what_was_kept():
    async with following() as (server, watches, _):
        deploy(server, "team-a", "phi")
        for name in ("one", "two"):
            watches.follow(("team-a", name), referencing("phi"))
        await until(lambda: watches.is_synced(("team-a", "one")) and len(server.watches) == 2)
        watches.forget(("team-a", "one"))
        assert pods(watches, ("team-a", "two")) == ["phi-0"]
        watches.forget(("team-a", "two"))
        await until(lambda: not server.watches)
        assert (watches._dependencies, watches._wanted, watches._workloads, dict(watches._references)) == ({}, {}, {}, {})


async def test_a_namespace_with_too_many_references_is_told_and_others_are_not_concerned(monkeypatch):
    monkeypatch.setattr(dynamic_watches, "MOST_REFERENCES", 4)
    async with following() as (server, watches, told):
        keys = [("team-a", f"w{number}") for number in range(3)]
        for key in (*keys, ("team-b", "phi")):
            deploy(server, key[0], "phi")
            watches.follow(key, referencing("phi"))
        await until(lambda: all(map(watches.is_synced, (*keys, ("team-b", "phi")))))
        assert [bool(watches.of(key).excess) for key in (*keys, ("team-b", "phi"))] == [False, False, True, False]
        refused = watches.of(keys[2])
        assert refused.problem == refused.excess
        assert refused.workload is None
        told.keys.clear()
        watches.forget(keys[0])
        assert told.keys[keys[2]] == 1
        await until(lambda: watches.is_synced(keys[2]) and watches.of(keys[2]).workload is not None)
        assert watches.of(keys[2]).excess == ""


async def test_a_kind_that_is_not_served_is_told():
    async with following() as (server, watches, _):
        server.missing.add("pods")
        unknown = WorkloadRef(api_version="gone.example.com/v1", kind="Server", name="server")
        watches.follow(("team-a", "phi"), Dependencies(reference=unknown))
        watches.follow(("team-a", "two"), Dependencies(pods={"app": "two"}))
        await until(lambda: watches.is_synced(("team-a", "phi")) and watches.is_synced(("team-a", "two")))
        assert watches.of(("team-a", "phi")).problem == "Server of gone.example.com/v1 is not served by the cluster"
        watches.follow(("team-a", "three"), Dependencies(pods={"app": "three"}))
        assert watches.is_synced(("team-a", "three"))


def of_workspace(name):
    return {"selector": {"matchLabels": {"kaito.sh/workspace": name}}}


def budgets(watches, key):
    return [budget.ref.name for budget in watches.of(key).budgets]


async def test_all_budgets_of_a_namespace_are_read_once_and_a_change_concerns_those_whose_pods_it_may_select():
    async with following() as (server, watches, told):
        keys = [("team-a", name) for name in ("one", "two", "three")]
        for name in ("one", "two"):
            server.put("poddisruptionbudgets", "team-a", name, spec=of_workspace(name))
        server.put("poddisruptionbudgets", "team-b", "else", spec=of_workspace("one"))
        for key in keys[:2]:
            watches.follow(key, Dependencies(budgets=True))
        await until(lambda: all(map(watches.is_synced, keys[:2])) and server.open)
        watches.follow(keys[2], Dependencies(budgets=True))
        assert watches.is_synced(keys[2])
        assert [budgets(watches, key) for key in keys] == [["one", "two"]] * 3
        assert server.lists == {("poddisruptionbudgets", "team-a", ""): 1}
        told.keys.clear()
        server.put("poddisruptionbudgets", "team-a", "one", spec=of_workspace("three"))
        await until(lambda: told.keys)
        assert told.keys == {keys[0]: 1, keys[2]: 1}
        server.put("poddisruptionbudgets", "team-a", "all", spec={"selector": {}})
        await until(lambda: budgets(watches, keys[0]) == ["all", "one", "two"])
        assert told.keys == {keys[0]: 2, keys[1]: 1, keys[2]: 2}
        server.delete("poddisruptionbudgets", "team-a", "two")
        await until(lambda: budgets(watches, keys[0]) == ["all", "one"])
        assert told.keys == {keys[0]: 2, keys[1]: 2, keys[2]: 2}
