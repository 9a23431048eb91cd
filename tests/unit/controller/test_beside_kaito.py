"""Passes beside a KAITO that replaces statuses by what it has read before: ours comes back, and KAITO's news stay."""

import asyncio
import copy
import json

import pytest

from tests.unit.controller.test_reconciler import KEY, ApiServer, Passes
from tests.unit.factories import quickstart
from tests.unit.records.test_companion_status import patched
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.kube.errors import ConflictError, KindNotServedError, RetryableError
from workspace_ctrl.planning.plan_settings import Mode
from workspace_ctrl.records.companion_status import parse_companion_record

TIME = "2026-11-27T12:00:00Z"


class Kaito(ApiServer):
    """An API server with KAITO's status; `seen` is told each new state of the Workspace."""

    def __init__(self):
        super().__init__()
        self.live = quickstart()
        self.live["metadata"] |= {"creationTimestamp": TIME, "annotations": {}}
        self.conditions_written = self.annotations_written = 0
        self.seen = lambda _raw, _version: None

    async def apply(self, resource, manifest, **options):
        if resource.kind != self.live["kind"]:
            return await super().apply(resource, manifest, **options)
        self.annotations_written += 1
        self.live["metadata"]["annotations"] = dict(manifest["metadata"].get("annotations", {}))
        return self._answer()

    async def json_patch(self, *call):
        self.conditions_written += 1
        status = patched(self.live.get("status", {}), json.loads(json.dumps(call[3])), self.live)
        if status is None:
            raise ConflictError("another list")
        self.live["status"] = status
        return self._answer()

    async def find(self, *_):
        return self._answer()

    async def watch(self, *_, **__):
        raise KindNotServedError("there are no InferencePools")
        yield

    list_page = find_resource = watch

    def replace_status(self, status, said):
        """What KAITO's controller does with a stale copy."""
        own = Condition("ResourceReady", "True", "Reconciled", said, 1, TIME).as_object()
        theirs = [entry for entry in status.get("conditions", ()) if entry["type"] != "ResourceReady"]
        self.live["status"] = {"conditions": [own, *copy.deepcopy(theirs)]}
        self.seen(self._answer(), next(self.versions))

    def _answer(self):
        self.live["metadata"]["resourceVersion"] = str(next(self.versions))
        return json.loads(json.dumps(self.live))

    def condition(self, type_="GatewayReady"):
        found = [entry for entry in self.live.get("status", {}).get("conditions", ()) if entry["type"] == type_]
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
async def beside(monkeypatch):
    """Passes over one Workspace, and a clock that is moved by hand."""
    server = Kaito()
    passes = Passes(monkeypatch, parse_companion_record(server.live, "Workspace"), server, mode=Mode.COMPANION)
    server.seen = lambda raw, version: passes.cache.workspaces.put(KEY, parse_companion_record(raw, "Workspace"), version)
    passes.now = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: passes.now)
    for _ in range(20):  # until the watch of a pool of KAITO's has found out that there are none
        await passes.reconciler.reconcile(KEY)
        await asyncio.sleep(0)
        passes.now += 1
    assert server.conditions_written == 1
    for _ in range(3):  # so that no more time passes until the status changes by itself
        passes.now += 600
        await passes.reconciler.reconcile(KEY)
    return passes


async def until_written(passes, seconds):
    """Make the passes that are due within so many seconds, until our condition is there."""
    started, writes = passes.now, passes.server.conditions_written
    while passes.now <= started + seconds:
        due_in = await passes.reconciler.reconcile(KEY)
        if passes.server.conditions_written > writes:
            return passes.now - started
        passes.now += min(due_in if due_in is not None else seconds, seconds) + 0.001
    raise AssertionError("our condition did not come back")


async def test_a_dropped_condition_comes_back_with_one_write_and_all_of_kaito(beside):
    server = beside.server
    before, copies = server.condition(), [{}, {"conditions": [Condition("NodesReady", "True", "Enough", "", 1, TIME).as_object()]}]
    annotations, writes = server.annotations_written, server.conditions_written
    for number in range(60):
        beside.now += 12  # 200 Workspaces whose statuses are replaced at 17 a second
        server.replace_status(copies[number % 2], f"news {number}")
        assert server.condition() is None
        assert await until_written(beside, 2.0) < 2.0
        assert server.condition() == before
        assert server.condition("ResourceReady")["message"] == f"news {number}"
        assert (server.condition("NodesReady") is not None) == bool(number % 2)
    assert server.conditions_written - writes == 60
    assert server.annotations_written == annotations


async def test_a_copy_with_our_condition_of_now_costs_no_write(beside):
    server = beside.server
    writes, current = server.conditions_written, copy.deepcopy(server.live["status"])
    for number in range(20):
        server.replace_status(current, f"news {number}")
        await beside.reconciler.reconcile(KEY)
    assert server.conditions_written == writes


async def test_an_older_condition_of_ours_is_replaced(beside):
    server = beside.server
    right = server.condition()
    server.replace_status({"conditions": [{**right, "status": "True", "reason": "Older"}]}, "news")
    await until_written(beside, 2.0)
    assert server.condition() == right


async def test_two_controllers_that_write_in_turns_do_not_write_for_ever(beside):
    server, started = beside.server, beside.now
    writes = server.conditions_written
    while beside.now < started + 3600:
        server.replace_status({}, f"news {beside.now}")
        due_in = await beside.reconciler.reconcile(KEY)
        beside.now += max(min(due_in or 1.0, 60.0), 0.01)
    assert server.conditions_written - writes < 80


async def test_a_list_that_kaito_has_changed_meanwhile_is_left_as_it_is(beside):
    server = beside.server
    theirs = Condition("NodesReady", "True", "Enough", "", 1, TIME).as_object()
    older = {**server.condition(), "reason": "Older"}
    server.live["status"]["conditions"].insert(0, theirs)  # its event is late
    before = copy.deepcopy(server.live["status"])
    stale = parse_companion_record({**server.live, "status": {"conditions": [older]}}, "Workspace")
    beside.cache.workspaces.put(KEY, stale, next(server.versions))
    with pytest.raises(RetryableError):
        await until_written(beside, 10.0)
    assert server.live["status"] == before


async def test_an_inference_set_gets_its_condition_too(monkeypatch):
    server = Kaito()
    spec = {"replicas": 1, "template": {"inference": {"preset": {"name": "some-org/some-model"}}}}
    server.live = {**{key: server.live[key] for key in ("apiVersion", "metadata")}, "kind": "InferenceSet", "spec": spec}
    passes = Passes(monkeypatch, None, server, mode=Mode.COMPANION)
    passes.cache.workspaces.remove(KEY, next(server.versions))
    passes.cache.inference_sets.put(KEY, parse_companion_record(server.live, "InferenceSet"), next(server.versions))
    passes.now = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: passes.now)
    for _ in range(20):
        await passes.reconciler.reconcile(KEY)
        await asyncio.sleep(0)
        passes.now += 1
    assert server.condition()["reason"] == "FetchingChart"
    assert (server.conditions_written, server.annotations_written) == (1, 1)


@pytest.mark.parametrize("is_of_a_set", [False, True], ids=["on its own", "a copy of a set"])
async def test_who_comes_second_to_a_name_is_told_unless_it_gets_no_gateway_side_anyway(monkeypatch, is_of_a_set):
    """Of a Workspace and an InferenceSet of one name; the Workspace is the younger one here."""
    server = Kaito()
    passes = Passes(monkeypatch, None, server, mode=Mode.COMPANION)
    owners = [{"kind": "InferenceSet", "name": "another", "uid": "of-another", "controller": True}] if is_of_a_set else []
    server.live["metadata"] |= {"creationTimestamp": "2026-11-22T00:00:00Z", "ownerReferences": owners}
    passes.cache.workspaces.put(KEY, parse_companion_record(server.live, "Workspace"), next(server.versions))
    about = {**server.live["metadata"], "uid": "uid-of-set", "creationTimestamp": "2026-11-21T00:00:00Z", "ownerReferences": []}
    older = {"apiVersion": "kaito.sh/v1alpha1", "kind": "InferenceSet", "metadata": about, "spec": {}}
    passes.cache.inference_sets.put(KEY, parse_companion_record(older, "InferenceSet"), next(server.versions))
    for _ in range(3):
        await passes.reconciler.reconcile(KEY)
    reasons = [server.condition()["reason"]] if server.condition() is not None else []
    assert reasons == ([] if is_of_a_set else ["NameTaken"])
    assert (server.conditions_written, server.annotations_written) == ((0, 0) if is_of_a_set else (1, 1))
