"""A pass is a pipeline: one snapshot, one evaluation of the chain, and what the API server has to be asked is asked once, together."""

import asyncio
import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
    applied_fields,
    derived,
    gateway,
    gateway_class,
    meta,
    pod,
    pool,
    quickstart,
    workspace,
)
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import names
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.controller import reconciler as reconciler_module
from workspace_ctrl.controller import status_publisher as publisher_module
from workspace_ctrl.controller.event_handler import EventHandler
from workspace_ctrl.controller.passes import pass_snapshots as snapshots_module
from workspace_ctrl.controller.passes.background_tasks import BackgroundTasks
from workspace_ctrl.controller.passes.gateway_tasks import GatewayTasks
from workspace_ctrl.controller.passes.group_records import GroupObserver
from workspace_ctrl.controller.passes.pass_snapshots import PassSnapshots
from workspace_ctrl.controller.reconciler import Reconciler
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.controller.status_publisher import Publisher
from workspace_ctrl.controller.status_write_interval import intervals_of
from workspace_ctrl.controller.status_writes.status_writer import CompanionWriter, SubresourceWriter
from workspace_ctrl.controller.step_executor import Executor
from workspace_ctrl.controller.take_snapshot import Background
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.helm.chart_verifier import NoChartVerifier
from workspace_ctrl.hub.hub_models import NoHubModels
from workspace_ctrl.kube.errors import RejectedError, RetryableError
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.load.request_counter import RequestCounter
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.route_claims import yielding_holder
from workspace_ctrl.planning.plan_settings import Mode, PlanSettings
from workspace_ctrl.probe.prober import NoProber
from workspace_ctrl.records.flux import Stage
from workspace_ctrl.records.workspaces import parse_workspace_record
from workspace_ctrl.settings.process import Settings

KEY = (NAMESPACE, NAME)


class ApiServer:
    """Answers writes as the API server would to the only writer; what is in `rejected` it rejects, `broken` fails once."""

    def __init__(self):
        self.versions = count(100)
        self.calls = []
        self.rejected, self.broken = {}, set()
        self.workspace = quickstart()

    async def apply(self, resource, manifest, *, dry_run=False, subresource="", **_):
        call = (resource.kind, subresource or ("dry-run" if dry_run else "apply"))
        self.calls.append(call)
        if call in self.broken:
            self.broken.remove(call)
            raise RetryableError("the connection broke")
        if call in self.rejected:
            raise RejectedError(self.rejected[call])
        metadata = {"uid": f"uid-of-{resource.kind}", "creationTimestamp": "2026-11-21T11:00:00Z", **manifest["metadata"]}
        metadata |= {"resourceVersion": str(next(self.versions)), "managedFields": [applied_fields(manifest)]}
        if resource.kind == "Workspace":
            return {**self.workspace, **manifest, "metadata": {**self.workspace["metadata"], **metadata}}
        if resource.kind == "InferenceSet":
            metadata["generation"] = 1
        return {**manifest, "metadata": metadata}

    async def find(self, *_):
        return None


class Recorded(NoProber):
    """A prober that sends nothing, and keeps which Workspaces it was told to be gone."""

    def __init__(self):
        self.told_gone = []

    def gone(self, key):
        self.told_gone.append(key)


class Passes:
    """A reconciler of the quickstart's Workspace, and what its passes cost."""

    def __init__(self, monkeypatch, record=None, server=None, **plan_settings):
        self.server, self.costs, self.written = server or ApiServer(), Counter(), []
        self.cache = Cache(companion=plan_settings.get("mode") is Mode.COMPANION)
        self.cache.workspaces.put(KEY, record or workspace(finalizer=False), 1)
        self.cache.gateways.put((NAMESPACE, "inference-gateway"), gateway(), 1)
        self.cache.gateway_classes.put(("", "istio"), gateway_class(), 1)
        settings = Settings(plan=PlanSettings(gateway_extension=True, **plan_settings), settle_interval=0.0, pass_interval=0.0)
        watches = DynamicWatches(self.server, lambda _key: None)
        self.states = States()
        self.prober = Recorded()
        tasks = BackgroundTasks(self.prober, NoChartVerifier(), NoHubModels(), RequestCounter(lambda _key: None))
        executor = Executor(self.server, self.cache, watches, settings, tasks)
        is_companion = settings.plan.is_companion
        writer = CompanionWriter(self.server, self.cache) if is_companion else SubresourceWriter(executor)
        load, intervals = self.states.load, intervals_of(settings)
        publisher = Publisher(self.cache, executor, writer, self.prober, load, intervals, self.written.append)
        groups = GroupObserver(self.cache, watches, self.states.has_pass, is_shard=False)
        self.events = EventHandler(WorkQueue(), self.cache, DependencyIndex(), self.states, pass_interval=0.0)
        self.background = lambda _key: Background()
        gateways = GatewayTasks(
            self.server,
            self.cache,
            settings,
            frozenset,
            routers_changed=lambda: None,
            index_changed=lambda _states: None,
            body_routers=False,
        )
        self.reconciler = Reconciler(
            self.cache,
            watches,
            DependencyIndex(),
            self.states,
            RouteClaims(self.cache, gateways, lambda _key: None, is_shard=False),
            executor,
            publisher,
            settings.plan,
            PassSnapshots(self.cache, watches, groups, frozenset, self._background_of),
            written=self.events.written,
        )
        for name in ("resolve", "make_plan", "desire"):
            self._count(monkeypatch, reconciler_module, name)
        self._count(monkeypatch, snapshots_module, "take_snapshot")
        self._count(monkeypatch, publisher_module, "evaluate")

    def _background_of(self, key):
        return self.background(key)

    def _count(self, monkeypatch, module, name):
        function = getattr(module, name)

        def counted(*arguments):
            self.costs[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)

    def give(self, raw):
        """Have the API server store the Workspace `raw`."""
        self.server.workspace = raw
        self.cache.workspaces.put((NAMESPACE, raw["metadata"]["name"]), workspace(raw, finalizer=False), next(self.server.versions))

    async def make(self, key=KEY):
        """Make one pass; return what it cost, and the calls to the API server."""
        self.costs.clear()
        self.server.calls.clear()
        await self.reconciler.reconcile(key)
        return dict(self.costs), list(self.server.calls)


async def test_a_first_pass_takes_one_snapshot_and_asks_once(monkeypatch):
    costs, calls = await Passes(monkeypatch).make()
    assert costs == {"take_snapshot": 1, "evaluate": 1, "resolve": 1, "desire": 1, "make_plan": 2}
    assert calls == [
        ("Deployment", "dry-run"),
        ("Deployment", "apply"),
        ("Service", "apply"),
        ("OCIRepository", "apply"),
        ("Workspace", "status"),
    ]


async def test_a_pass_over_an_unchanged_workspace_costs_one_snapshot_and_no_call(monkeypatch):
    passes = Passes(monkeypatch)
    await passes.make()
    costs, calls = await passes.make()
    assert costs == {"take_snapshot": 1, "evaluate": 1, "desire": 1, "make_plan": 1}
    assert calls == []


async def test_what_was_applied_is_in_the_status_of_the_same_pass(monkeypatch):
    passes = Passes(monkeypatch)
    await passes.make()
    conditions = {entry.type: entry.reason for entry in passes.written[-1].status.conditions}
    assert conditions["WorkloadAccepted"] == "Accepted"
    assert conditions["ChartReady"] != "ChartNotRequested"
    assert passes.written[-1].status.workload.name == NAME


async def test_what_flux_has_to_do_is_timed_from_our_write_on(monkeypatch):
    """The answer to a write comes back without an event, so a Flux that does not react would never be noticed otherwise."""
    passes = Passes(monkeypatch)
    due_in = await passes.reconciler.reconcile(KEY)
    assert passes.states.get(KEY).stage_timer.source is not None
    assert due_in <= Stage.UNSEEN.patience


class Fetched(ApiServer):
    """Has fetched the chart before, so that Flux has nothing to do where only labels or owners of the OCIRepository change."""

    async def apply(self, resource, manifest, **options):
        answer = await super().apply(resource, manifest, **options)
        if resource.kind != "OCIRepository":
            return answer
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
        artifact = {"revision": "v1@sha256:" + "0" * 64, "digest": "sha256:" + "0" * 64}
        status = {"observedGeneration": 1, "conditions": [ready], "artifact": artifact}
        return {**answer, "metadata": {**answer["metadata"], "generation": 1}, "status": status}


@pytest.mark.parametrize(("server", "goes_on"), [(ApiServer(), False), (Fetched(), True)], ids=["Flux fetches", "it has fetched"])
async def test_where_nothing_more_is_reported_of_an_object_that_was_written_another_pass_follows(monkeypatch, server, goes_on):
    """The HelmRelease waits for the OCIRepository; if its watch event comes after the response to our write, it tells nothing new."""
    passes = Passes(monkeypatch, server=server)
    assert (await passes.reconciler.reconcile(KEY) == 0.0) is goes_on
    _, calls = await passes.make()
    assert (("HelmRelease", "apply") in calls) is goes_on


async def test_a_passing_error_ends_a_pass_and_the_next_one_goes_on_where_it_was(monkeypatch):
    passes = Passes(monkeypatch)
    passes.server.broken = {("Service", "apply")}
    with pytest.raises(RetryableError):
        await passes.make()
    assert not passes.states.has_seen(passes.cache.workspaces.get(KEY))
    _, calls = await passes.make()
    assert calls == [("Service", "apply"), ("OCIRepository", "apply"), ("Workspace", "status")]
    assert passes.states.has_seen(passes.cache.workspaces.get(KEY))


async def test_a_rejected_write_becomes_a_condition_and_is_not_repeated_at_once(monkeypatch):
    passes = Passes(monkeypatch)
    passes.server.rejected = {("Service", "apply"): "quota exceeded"}
    await passes.make()
    accepted = next(entry for entry in passes.written[-1].status.conditions if entry.type == "WorkloadAccepted")
    assert (accepted.status, accepted.reason) == ("False", "ApplyRefused")
    assert "quota exceeded" in accepted.message
    assert (await passes.make())[1] == []


class Particular(ApiServer):
    """Rejects a status that has one of the parts `refused`."""

    refused = frozenset({"workload"})
    words = 'Workspace.kaito.sh "x" is invalid: status.workload: Invalid value: "null"'

    async def apply(self, resource, manifest, *, subresource="", **options):
        if subresource == "status" and self.refused & manifest["status"].keys():
            self.calls.append((resource.kind, "rejected"))
            raise RejectedError(self.words)
        return await super().apply(resource, manifest, subresource=subresource, **options)


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        pytest.param(Particular.words, ["rejected", "status"], id="the words name the part"),
        pytest.param("no", ["rejected", "status"], id="the words name no part"),
        pytest.param("status.gateway: no", ["rejected", "rejected", "status"], id="the words name another part"),
    ],
)
async def test_a_rejected_status_is_written_without_the_part_and_is_not_sent_again_at_once(monkeypatch, words, attempts):
    passes = Passes(monkeypatch)
    passes.server.__class__, passes.server.words = Particular, words
    _, calls = await passes.make()
    assert [verb for kind, verb in calls if kind == "Workspace"] == attempts
    ready = next(entry for entry in passes.written[-1].status.conditions if entry.type == "Ready")
    assert "the API server rejects" in ready.message
    assert words in ready.message
    assert (await passes.make())[1] == []
    state = passes.states.get(KEY)
    passes.states.set(KEY, replace(state, rejected_status=replace(state.rejected_status, retry_at=0.0)))
    passes.server.refused = frozenset()
    passes.reconciler._publisher._intervals = replace(passes.reconciler._publisher._intervals, progress=0.0)
    assert (await passes.make())[1] == [("Workspace", "status")]
    assert "rejects" not in passes.written[-1].status.conditions[0].message
    assert passes.written[-1].status.workload.name == NAME


async def test_a_status_that_is_rejected_as_a_whole_ends_the_pass(monkeypatch):
    passes = Passes(monkeypatch)
    passes.server.rejected = {("Workspace", "status"): "forbidden"}
    with pytest.raises(RejectedError):
        await passes.make()


async def test_a_workspace_that_cannot_be_read_costs_no_call_but_its_status(monkeypatch):
    deep = {}
    for _ in range(100):
        deep = {"a": deep}
    passes = Passes(monkeypatch, workspace(quickstart(inference={"template": deep})))
    assert (await passes.make())[1] == [("Workspace", "status")]
    assert "nested deeper than 64 levels" in passes.written[-1].status.conditions[0].message


async def test_a_workspace_that_is_gone_is_forgotten(monkeypatch):
    passes = Passes(monkeypatch)
    await passes.make()
    passes.cache.workspaces.remove(KEY, 1_000)
    assert await passes.make() == ({}, [])
    assert passes.states.get(KEY) is None
    assert passes.prober.told_gone == [KEY]


def with_variables(count, name=NAME):
    """A Workspace with a pod template that has `count` variables of 5,000 characters."""
    variables = [{"name": f"V{number}", "value": f"{number:05000}"} for number in range(count)]
    template = {"spec": {"containers": [{"name": "server", "image": "example/server:1", "env": variables}]}}
    raw = quickstart(inference={"template": template}, gateway={"enabled": False})
    return {**raw, "metadata": {**raw["metadata"], "name": name}}


async def test_the_plan_of_a_small_spec_is_kept_for_the_next_pass(monkeypatch):
    passes = Passes(monkeypatch)
    passes.give(with_variables(4))
    assert (await passes.make())[0]["resolve"] == 1
    assert "resolve" not in (await passes.make())[0]


async def test_the_plan_of_a_spec_that_grew_large_is_not_kept(monkeypatch):
    passes = Passes(monkeypatch)
    passes.give(with_variables(4))
    await passes.make()
    passes.give(with_variables(40))
    for _ in range(2):
        assert (await passes.make())[0]["resolve"] == 1


async def test_large_plans_of_256_workspaces_fit_into_memory(monkeypatch):
    passes = Passes(monkeypatch)
    keys = [(NAMESPACE, f"large-{number}") for number in range(256)]
    for key in keys:
        passes.give(with_variables(40, key[1]))
    *most, last = (keys[number : number + 64] for number in range(0, 256, 64))
    for key in (key for part in most for key in part):
        await passes.make(key)
    tracemalloc.start()  # passes take four times as long while it counts, so it counts a quarter of them
    try:
        for key in last:
            await passes.make(key)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {"WorkloadAccepted"} <= {entry.type for entry in passes.written[-1].status.conditions}
    assert kept < 4 << 20


class Answering(Recorded):
    """A prober that knows what the test says, while it is told to send requests."""

    is_enabled = True
    answer = None

    def result(self, _key):
        return self.answer

    def follow(self, _key, targets, _earlier):
        if not targets:
            self.answer = None


def behind_header():
    """A Workspace whose model only its own server can name, and that is reached by that name in a header."""
    template = {"spec": {"containers": [{"name": "server", "image": "own:1", "ports": [{"containerPort": 5000}]}]}}
    return quickstart(inference={"template": template}, gateway={"match": {"header": True}})


async def test_a_route_with_names_that_the_server_reported_is_not_changed_back_while_its_gateway_takes_it_in(monkeypatch):
    passes = Passes(monkeypatch, workspace(behind_header()), match_reported_names=True)
    passes.server.workspace = behind_header()
    passes.cache.inference_pools.put((NAMESPACE, derived().release), pool(), 1)
    prober = Answering()
    passes.background = lambda key: Background(prober.result(key), probing=True)
    passes.reconciler._publisher._prober = prober
    await passes.make()
    prober.answer = ProbeResult(ProbeOutcome.ANSWERED, models=("tiny-llama",))
    assert ("HTTPRoute", "apply") in (await passes.make())[1]
    assert prober.answer is None  # the new route is not accepted yet, so no request is sent
    for _ in range(3):
        assert ("HTTPRoute", "apply") not in (await passes.make())[1]


def younger(**metadata):
    """An InferenceSet with the name of the Workspace, created after it."""
    about = {
        "name": NAME,
        "namespace": NAMESPACE,
        "uid": "uid-of-set",
        "generation": 1,
        "creationTimestamp": "2026-11-22T00:00:00Z",
    }
    return parse_workspace_record({"metadata": about | metadata, "spec": {}}, "InferenceSet")


async def test_an_inference_set_of_the_same_name_is_told_once_and_costs_the_older_workspace_nothing(monkeypatch):
    passes = Passes(monkeypatch)
    await passes.make()
    passes.cache.inference_sets.put(KEY, younger(), 1)
    costs, calls = await passes.make()
    assert costs.pop("resolve") == 1  # of the younger one: whether it wants a gateway side
    assert (costs, calls) == ({"take_snapshot": 1, "evaluate": 1, "desire": 1, "make_plan": 1}, [("InferenceSet", "status")])
    assert passes.written[-1].workspace.meta.uid == "uid-of-set"
    assert {entry.reason for entry in passes.written[-1].status.conditions} == {"NameTaken"}
    assert (await passes.make())[1] == []


async def test_a_rejected_status_of_the_younger_one_does_not_hold_the_older_one_up(monkeypatch):
    passes = Passes(monkeypatch)
    passes.cache.inference_sets.put(KEY, younger(), 1)
    passes.server.rejected["InferenceSet", "status"] = "no"
    with pytest.raises(RejectedError):
        await passes.reconciler.reconcile(KEY)
    assert passes.server.calls[-2:] == [("Workspace", "status"), ("InferenceSet", "status")]


async def test_a_finalizer_of_the_younger_one_is_removed_when_it_goes(monkeypatch):
    passes = Passes(monkeypatch)
    await passes.make()
    going = younger(deletionTimestamp="2026-11-23T00:00:00Z", finalizers=["workspace-ctrl/gateway"])
    passes.cache.inference_sets.put(KEY, going, 1)
    assert (await passes.make())[1] == [("InferenceSet", "apply")]


MEMBERS = ("v1", "v2")


def member_of_group(name, **group):
    raw = quickstart(gateway={"group": {"name": "chat", **group}})
    raw["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": f"2026-11-21T11:00:0{name[-1]}Z"}
    return raw


class GroupPasses(Passes):
    """Passes over two members of a group, whose pools, pickers and pods are there."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch)
        self.cache.workspaces.remove(KEY, 2)
        for name in MEMBERS:
            self.give(member_of_group(name))
            self.serve(name)

    def serve(self, name, *, ready=True):
        """Have the objects of a member that others make."""
        version = next(self.server.versions)
        release = names(name).release
        own = replace(pool(selector={POD_LABEL: name}), meta=replace(meta("InferencePool", release, owner=""), workspace=name))
        self.cache.inference_pools.put((NAMESPACE, release), own, version)
        self.cache.pods.put((NAMESPACE, name), pod(name=name, labels={POD_LABEL: name}, ready=ready), version)

    async def shared(self, name):
        """Make a pass over a member; return how often it wrote the route of the group, and its weights then."""
        before = self.cache.http_routes.get((NAMESPACE, "chat"))
        self.server.workspace = member_of_group(name)
        await self.make((NAMESPACE, name))
        after = self.cache.http_routes.get((NAMESPACE, "chat"))
        return after is not before, dict(after.weights) if after is not None else {}


async def test_the_first_pass_in_which_all_members_are_known_writes_the_route_of_the_group_and_no_other_one_does(monkeypatch):
    passes = GroupPasses(monkeypatch)
    assert await passes.shared("v1") == (False, {})
    assert await passes.shared("v2") == (True, {"v1": 100, "v2": 100})
    assert await passes.shared("v1") == (False, {"v1": 100, "v2": 100})


@pytest.mark.parametrize("by", MEMBERS)
async def test_any_member_moves_the_requests_of_one_that_is_not_ready(monkeypatch, by):
    passes = GroupPasses(monkeypatch)
    for name in MEMBERS:
        await passes.shared(name)
    passes.serve("v2", ready=False)
    assert await passes.shared(by) == (True, {"v1": 100})
    passes.serve("v2")
    assert await passes.shared(by) == (True, {"v1": 100, "v2": 100})


async def test_two_members_at_once_write_the_route_once(monkeypatch):
    passes = GroupPasses(monkeypatch)
    for name in MEMBERS:
        await passes.shared(name)
    passes.serve("v2", ready=False)
    passes.server.calls.clear()
    await asyncio.gather(*(passes.reconciler.reconcile((NAMESPACE, name)) for name in MEMBERS))
    assert passes.server.calls.count(("HTTPRoute", "apply")) == 1


async def test_the_status_of_a_member_shows_the_group(monkeypatch):
    passes = GroupPasses(monkeypatch)
    for name in (*MEMBERS, "v1"):
        await passes.shared(name)
    shown = passes.written[-1].status.gateway.group
    assert [(member.name, member.weight, member.current, member.ready) for member in shown.members] == [
        ("v1", 100, 100, True),
        ("v2", 100, 100, True),
    ]


async def test_a_member_whose_passes_fail_holds_up_no_other_one(monkeypatch):
    passes = GroupPasses(monkeypatch)
    planned = reconciler_module.make_plan

    def failing(desired, snapshot):
        if desired.workspace.meta.ref.name == "v1":
            raise ZeroDivisionError
        return planned(desired, snapshot)

    monkeypatch.setattr(reconciler_module, "make_plan", failing)
    with pytest.raises(ZeroDivisionError):
        await passes.shared("v1")
    assert await passes.shared("v2") == (True, {"v1": 100, "v2": 100})


def taking_the_path(name="taker"):
    """A Workspace of the same namespace that wants the path of the group."""
    raw = quickstart(gateway={"match": {"path": f"/{NAMESPACE}/chat"}})
    raw["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": "2026-11-21T11:30:00Z"}
    return raw


@pytest.mark.parametrize(
    "go",
    [
        pytest.param(lambda passes, name: passes.cache.workspaces.remove((NAMESPACE, name), 10_000), id="they are gone"),
        pytest.param(lambda passes, name: passes.give({**member_of_group(name), "gateway": {}}), id="they have left the group"),
    ],
)
async def test_the_path_of_a_group_is_free_again_when_the_last_member_has_gone(monkeypatch, go):
    passes = GroupPasses(monkeypatch)
    for name in MEMBERS:
        await passes.shared(name)
    passes.give(taking_the_path())
    passes.server.workspace = taking_the_path()
    await passes.make((NAMESPACE, "taker"))
    claims = passes.reconciler._claims._index
    taker = yielding_holder((NAMESPACE, "taker"))
    assert list(claims.taken(taker).values()) == [(NAMESPACE, "group chat")]
    for name in MEMBERS:
        go(passes, name)
    passes.cache.http_routes.drop((NAMESPACE, "chat"))
    for name in MEMBERS:
        await passes.make((NAMESPACE, name))
    assert claims.taken(taker) == {}
