"""An event of each watched kind enqueues the Workspaces that the table says, and no other."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
    condition,
    deployment,
    derived,
    gateway,
    gateway_class,
    meta,
    picker,
    pod,
    pool,
    quickstart,
    release,
    route,
    service,
    source,
    workspace,
)
from workspace_ctrl.api.labels import PICKER_POD_LABEL, POD_LABEL
from workspace_ctrl.cache import watches
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.controller.event_handler import EventHandler
from workspace_ctrl.controller.workspace_state import WorkspaceState
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.records.chart_inventory import ChartObject
from workspace_ctrl.records.core_v1 import ConfigMap, Namespace, Node
from workspace_ctrl.records.gateways import GatewayProxy, GatewayService
from workspace_ctrl.records.pods import PodProblem
from workspace_ctrl.records.workloads import Workload

KEY, OTHER = (NAMESPACE, NAME), (NAMESPACE, "other")
BOTH = {KEY, OTHER}


class Handled:
    """A handler with two Workspaces, of which one depends on a ConfigMap and its namespace, and the other on nodes."""

    def __init__(self):
        self.queue, self.cache, self.dependents, self.states = WorkQueue(), Cache(), DependencyIndex(), States()
        other = {**quickstart(), "metadata": {**quickstart()["metadata"], "name": "other"}}
        self.cache.workspaces.put(KEY, workspace(), 1)
        self.cache.workspaces.put(OTHER, workspace(other), 1)
        self.cache.gateways.put((NAMESPACE, "inference-gateway"), gateway(), 1)
        self.cache.deployments.put((NAMESPACE, derived().endpoint_picker), picker(), 1)
        self.dependents.set(KEY, Dependencies(config="settings", namespace=True))
        self.dependents.set(OTHER, Dependencies(nodes=True))
        self.handler = EventHandler(self.queue, self.cache, self.dependents, self.states, pass_interval=0.3)

    async def enqueued(self):
        return {await self.queue.get() for _ in range(len(self.queue))}


EVENTS = [
    pytest.param(watches.WORKSPACES, workspace(), {KEY}, id="Workspace"),
    pytest.param(watches.INFERENCE_SETS, workspace(), {KEY}, id="InferenceSet"),
    pytest.param(watches.DEPLOYMENTS, deployment(), {KEY}, id="Deployment"),
    pytest.param(watches.SERVICES, service(), {KEY}, id="Service"),
    pytest.param(watches.PODS, pod(labels={POD_LABEL: NAME}), {KEY}, id="Pod"),
    pytest.param(watches.PODS, pod(labels={"app": "x"}), set(), id="Pod of nobody"),
    pytest.param(watches.OCI_REPOSITORIES, source(), {KEY}, id="OCIRepository"),
    pytest.param(watches.HELM_RELEASES, release(), {KEY}, id="HelmRelease"),
    pytest.param(watches.HTTP_ROUTES, route(), {KEY}, id="HTTPRoute"),
    pytest.param(watches.INFERENCE_POOLS, pool(), {KEY}, id="InferencePool"),
    pytest.param(watches.GATEWAYS, gateway(), BOTH, id="Gateway"),
    pytest.param(watches.GATEWAY_CLASSES, gateway_class(), BOTH, id="GatewayClass"),
    pytest.param(watches.GATEWAY_PROXIES, GatewayProxy(deployment(), "inference-gateway"), BOTH, id="Deployment of a Gateway"),
    pytest.param(watches.GATEWAY_PROXIES, GatewayProxy(deployment(), "unknown"), set(), id="Deployment of no Gateway"),
    pytest.param(watches.GATEWAY_SERVICES, GatewayService(service().meta, "inference-gateway"), BOTH, id="Service of a Gateway"),
    pytest.param(watches.GATEWAY_SERVICES, GatewayService(service().meta, "unknown"), set(), id="Service of no Gateway"),
    pytest.param(watches.CONFIG_MAPS, ConfigMap(meta("ConfigMap", "settings")), {KEY}, id="ConfigMap"),
    pytest.param(watches.CONFIG_MAPS, ConfigMap(meta("ConfigMap", "unknown")), set(), id="ConfigMap of nobody"),
    pytest.param(watches.NODES, Node(meta("Node", "n1", namespace="")), {OTHER}, id="Node"),
    pytest.param(watches.NAMESPACES, Namespace(meta("Namespace", NAMESPACE, namespace="")), {KEY}, id="Namespace"),
    pytest.param(watches.PICKER_PODS, pod(labels={PICKER_POD_LABEL: derived().endpoint_picker}), {KEY}, id="pod of a picker"),
    pytest.param(watches.PICKER_PODS, pod(labels={PICKER_POD_LABEL: "unknown"}), set(), id="pod of an unknown picker"),
]


@pytest.mark.parametrize(("watched", "record", "keys"), EVENTS)
async def test_an_event_enqueues_what_it_concerns(watched, record, keys):
    handled = Handled()
    handled.handler.handle(watched, record)
    assert await handled.enqueued() == keys


@pytest.mark.parametrize(
    ("watched", "record", "keys"),
    [
        pytest.param(watches.PODS, pod(labels={POD_LABEL: NAME}), BOTH, id="its pods"),
        pytest.param(watches.INFERENCE_POOLS, pool(), BOTH, id="its pool"),
        pytest.param(watches.SERVICES, service(), {KEY}, id="nothing else"),
    ],
)
async def test_what_shares_a_rule_of_a_route_with_another_workspace_concerns_it(watched, record, keys):
    handled = Handled()
    handled.cache.inference_pools.put((NAMESPACE, pool().ref.name), pool(), 1)
    handled.dependents.set(OTHER, Dependencies(sibling_pools=(pool().ref.name,)))
    handled.handler.handle(watched, record)
    assert await handled.enqueued() == keys


def test_every_row_of_the_table_is_tested():
    tested = {parameter.values[0].name for parameter in EVENTS}
    alike = {"StatefulSet", "PersistentVolumeClaim"}
    assert {watched.name for watched in watches.WATCHED} - {watched.name for watched in watches.CHART_OBJECTS} == tested | alike


async def test_what_a_user_changed_goes_ahead_of_what_follows_from_it():
    handled = Handled()
    handled.states.set(KEY, WorkspaceState().after_pass(-10.0, workspace()))
    handled.handler.enqueue(KEY)
    handled.handler.enqueue(OTHER)
    assert [await handled.queue.get() for _ in range(2)] == [OTHER, KEY]


class Starting(Handled):
    """A handler of one Workspace that is in progress, just after a pass; only passes for mere progress have an interval."""

    def __init__(self):
        super().__init__()
        self.handler = EventHandler(self.queue, self.cache, self.dependents, self.states, 0.0, progress_interval=60.0)
        now = asyncio.get_running_loop().time()
        self.states.set(KEY, WorkspaceState().after_pass(now, workspace()))
        self.states.load.set(KEY, in_progress=True)

    def handle_stored(self, watched, record):
        """Handle an event of an object that exists."""
        ref = record.meta.ref
        self.cache.sinks(watched)[""].put((ref.namespace, ref.name), record, 7)
        self.handler.handle(watched, record)


@pytest.mark.parametrize(
    ("watched", "record", "passes"),
    [
        pytest.param(watches.DEPLOYMENTS, deployment(ready=0), 0, id="a Deployment without ready pods"),
        pytest.param(watches.DEPLOYMENTS, deployment(), 1, id="a ready Deployment"),
        pytest.param(watches.DEPLOYMENTS, deployment(ready=1, replicas=2, updated=2), 1, id="a Deployment with a leader"),
        pytest.param(
            watches.DEPLOYMENTS, deployment(ready=0, conditions=(condition("Progressing", "False"),)), 1, id="a stuck Deployment"
        ),
        pytest.param(watches.DEPLOYMENTS, deployment(ready=0, replicas=0), 1, id="a Deployment that was scaled to 0"),
        pytest.param(watches.PODS, pod(ready=False), 0, id="a starting pod"),
        pytest.param(watches.PODS, pod(), 1, id="a ready pod"),
        pytest.param(watches.PODS, pod(ready=False, problem=PodProblem("ImagePullError", "no such image")), 1, id="a failed pod"),
        pytest.param(watches.OCI_REPOSITORIES, source(digest="", observed=0), 0, id="an OCIRepository without artifact"),
        pytest.param(watches.OCI_REPOSITORIES, source(), 1, id="a fetched OCIRepository"),
        pytest.param(
            watches.OCI_REPOSITORIES, source(digest="", conditions=(condition("Ready", "False"),)), 1, id="a failed OCIRepository"
        ),
        pytest.param(watches.HELM_RELEASES, release(observed=0, deployed=False), 0, id="a HelmRelease under way"),
        pytest.param(watches.HELM_RELEASES, release(), 1, id="an installed HelmRelease"),
        pytest.param(
            watches.HELM_RELEASES,
            release(generation=2, conditions=(condition("Released", "False", generation=2),)),
            1,
            id="a failed HelmRelease",
        ),
        pytest.param(watches.HELM_RELEASES, release(observed=0, suspended=True), 1, id="a suspended HelmRelease"),
    ],
)
async def test_mere_progress_waits_and_what_decides_does_not(watched, record, passes):
    starting = Starting()
    starting.handle_stored(watched, record)
    assert len(starting.queue) == passes


async def test_the_deletion_of_a_starting_object_is_no_progress():
    starting = Starting()
    starting.handler.handle(watches.DEPLOYMENTS, deployment(ready=0))
    assert len(starting.queue) == 1


async def test_a_workspace_that_is_not_in_progress_waits_for_nothing():
    starting = Starting()
    starting.states.load.set(KEY, in_progress=False)
    starting.handle_stored(watches.DEPLOYMENTS, deployment(ready=0))
    assert len(starting.queue) == 1


@pytest.mark.parametrize(
    ("releases", "keys"),
    [
        pytest.param((), {KEY}, id="without a release: what is left of it is removed"),
        pytest.param((release(),), {KEY}, id="deployed: an edit or a deletion is repaired"),
        pytest.param((release(deployed=False),), set(), id="Flux has yet to deploy the release"),
        pytest.param((release(deployed=False), replace(release(), meta=meta("HelmRelease", "former"))), {KEY}, id="of two charts"),
    ],
)
@pytest.mark.parametrize("watched", watches.CHART_OBJECTS, ids=lambda watched: watched.name)
async def test_an_object_of_a_chart_enqueues_its_workspace_once_it_is_deployed(watched, releases, keys):
    handled = Handled()
    for number, record in enumerate(releases):
        handled.cache.helm_releases.put((NAMESPACE, record.meta.ref.name), record, number + 1)
    handled.handler.handle(watched, ChartObject(NAMESPACE, watched.resource.kind, "part", NAME, 1))
    assert await handled.enqueued() == keys


def of_group(name, group="chat"):
    raw = quickstart(gateway={"group": {"name": group}})
    return workspace({**raw, "metadata": {**raw["metadata"], "name": name}})


class Grouped(Handled):
    """A handler with two members of a group, and one of another group."""

    def __init__(self):
        super().__init__()
        for name, group in ((NAME, "chat"), ("other", "chat"), ("third", "code")):
            self.cache.workspaces.put((NAMESPACE, name), of_group(name, group), 2)


SHARED = replace(route(), meta=replace(meta("HTTPRoute", "chat", owner=""), workspace=""), group="chat")


def labelled(name):
    """The route of the group with the label of the route of a Workspace."""
    return replace(SHARED, meta=replace(SHARED.meta, workspace=name), group="")


@pytest.mark.parametrize(
    ("watched", "record", "keys"),
    [
        pytest.param(watches.WORKSPACES, of_group(NAME), BOTH, id="a member"),
        pytest.param(watches.PODS, pod(labels={POD_LABEL: NAME}), BOTH, id="its pods"),
        pytest.param(watches.INFERENCE_POOLS, pool(), BOTH, id="its pool"),
        pytest.param(watches.DEPLOYMENTS, picker(), BOTH, id="its endpoint picker"),
        pytest.param(watches.STATEFUL_SETS, Workload(meta("StatefulSet")), BOTH, id="its model server on several nodes"),
        pytest.param(watches.HTTP_ROUTES, route(), BOTH, id="its own route"),
        pytest.param(watches.HTTP_ROUTES, SHARED, BOTH, id="the route of the group"),
        pytest.param(watches.HTTP_ROUTES, replace(SHARED, group=""), BOTH, id="that route without its label"),
        pytest.param(
            watches.HTTP_ROUTES, labelled("third"), {*BOTH, (NAMESPACE, "third")}, id="that route with the label of another"
        ),
        pytest.param(watches.SERVICES, service(), {KEY}, id="nothing else"),
    ],
)
async def test_what_may_change_the_route_of_a_group_concerns_all_members(watched, record, keys):
    handled = Grouped()
    handled.handler.handle(watched, record)
    assert await handled.enqueued() == keys


async def test_a_member_that_was_deleted_concerns_the_others():
    handled = Grouped()
    gone = handled.cache.workspaces.remove(KEY, 3)
    handled.handler.handle(watches.WORKSPACES, gone)
    assert await handled.enqueued() == BOTH


async def test_a_route_that_one_member_has_written_concerns_the_others_without_an_event():
    handled = Grouped()
    handled.handler.written([route(), SHARED, picker()], KEY)
    assert await handled.enqueued() == {OTHER}
