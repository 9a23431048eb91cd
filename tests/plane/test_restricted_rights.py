"""The controller as a ServiceAccount with less than it could use: it does what it may, and says what it may not."""

import json

from e2e import workspaces
from e2e.controller import ControllerProcess
from tests.plane.accounts import ACCOUNT, role
from tests.plane.test_two_replicas import Replica

READ_CLASSES = [
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gatewayclasses"], "verbs": ["get", "list", "watch"]},
]


def test_with_the_rights_of_one_namespace_its_workspaces_and_gateways_are_served(installed, plane_namespace, gateway, account):
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    workspaces.apply(installed, plane_namespace, *role("Role", ACCOUNT, rules, plane_namespace))
    with ControllerProcess(installed, "--namespace", plane_namespace, kubeconfig=account) as controller:
        workspaces.apply(
            installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        )
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "RouteReady", "GatewayClassNotReadable")
        assert found["message"].endswith("; grant get, list and watch on gatewayclasses")
        classes = role("ClusterRole", f"{ACCOUNT}-{plane_namespace}", READ_CLASSES, plane_namespace)
        installed.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, classes)))
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        words = f"cannot list Gateway in all namespaces; watching only {plane_namespace}"
        assert any(words in line for line in controller.log)
        away = workspaces.behind("elsewhere", "another-namespace")
        workspaces.apply(installed, plane_namespace, workspaces.workspace("away", gateway=away))
        found = workspaces.wait_reason(installed, plane_namespace, "away", "RouteReady", "NoGateway")
        assert "another-namespace/elsewhere" in found["message"]
        assert not any("Traceback" in line for line in controller.log)
    installed.kubectl("delete", "clusterrole,clusterrolebinding", f"{ACCOUNT}-{plane_namespace}")


def test_a_lease_that_may_not_be_written_is_said_with_the_rights_that_are_missing(installed, plane_namespace, account):
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["kaito.sh"], "resources": ["*"], "verbs": ["*"]},
    ]
    cluster_wide = role("ClusterRole", f"{ACCOUNT}-{plane_namespace}", rules, plane_namespace)
    installed.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, cluster_wide)))
    election = ("--leader-elect", "--leader-election-namespace", plane_namespace)
    words = f"grant get, list, watch, create and update on leases in namespace {plane_namespace}"
    replica = Replica(installed, *election, kubeconfig=account)
    try:
        replica.begin()
        replica.wait_for(words)
        rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "update"]}]
        workspaces.apply(installed, plane_namespace, *role("Role", "leases", rules, plane_namespace))
        replica.wait_for(" Workspaces")
    finally:
        replica.stop()
    installed.kubectl("delete", "clusterrole,clusterrolebinding", f"{ACCOUNT}-{plane_namespace}")
