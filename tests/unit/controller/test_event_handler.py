"""An event of each watched kind enqueues the Workspaces that the table says, and no other."""

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
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
from workspace_ctrl.controller.workspace_states import States
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.records.core_v1 import ConfigMap, Namespace, Node
from workspace_ctrl.records.gateways import GatewayProxy, GatewayService

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
    handled.dependents.set(OTHER, Dependencies(siblings=(NAME,)))
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
