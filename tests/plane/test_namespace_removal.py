"""A namespace with Workspaces is deleted. Nothing here deletes its objects, as the namespace controller would; the test does that."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until
from tests.plane.test_lifecycle import EVERY_KIND
from tests.plane.test_restricted_rights import ACCOUNT, account, role

__all__ = ["account"]
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
CLUSTER = [
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gatewayclasses"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["list", "watch"]},
    {"apiGroups": ["kaito.sh"], "resources": ["workspaces"], "verbs": ["list", "watch", "patch"]},
]
"""What the chart's ClusterRole has with `scope.namespaces`."""


@pytest.fixture
def scoped(installed, plane_namespace, account):
    """The options of a controller with the rights of `scope.namespaces`: a Role in the namespace, and a ClusterRole."""
    workspaces.apply(installed, plane_namespace, *role("Role", ACCOUNT, ALL, plane_namespace))
    wide = role("ClusterRole", f"{ACCOUNT}-{plane_namespace}", CLUSTER, plane_namespace)
    installed.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, wide)))
    yield {"kubeconfig": account}
    installed.kubectl("delete", "clusterrole,clusterrolebinding", f"{ACCOUNT}-{plane_namespace}")


def ready(cluster, namespace, gateway):
    workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace)))
    workspaces.wait_ready(cluster, namespace, "phi", "GatewayReady")


def finalizers(cluster, namespace):
    return workspaces.get(cluster, namespace, "workspace", "phi")["metadata"].get("finalizers", [])


def delete_namespace(cluster, namespace):
    cluster.kubectl("delete", "namespace", namespace, "--wait=false", actor="user")


def test_before_anything_in_it_is_deleted_the_release_is_uninstalled_and_the_finalizer_is_gone(installed, plane_namespace, gateway):
    with ControllerProcess(installed) as controller:
        ready(installed, plane_namespace, gateway)
        delete_namespace(installed, plane_namespace)
        workspaces.wait_gone(installed, plane_namespace, "helmrelease", "phi-inferencepool")
        workspaces.wait_gone(installed, plane_namespace, "httproute", "phi")
        until(lambda: not finalizers(installed, plane_namespace), "the finalizer to be gone")
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NamespaceTerminating")
        assert found["message"] == f"namespace {plane_namespace} is being deleted"
        chart_objects = workspaces.items(
            installed, plane_namespace, EVERY_KIND, "workspace-ctrl/workspace=phi,app.kubernetes.io/managed-by!=workspace-ctrl"
        )
        assert chart_objects == []
        assert not any("requesting a reconciliation" in line for line in controller.log)


def test_a_controller_that_was_away_takes_the_finalizer_off_when_its_role_is_gone(installed, plane_namespace, gateway, scoped):
    with ControllerProcess(installed, "--namespace", plane_namespace, **scoped):
        ready(installed, plane_namespace, gateway)
    delete_namespace(installed, plane_namespace)
    installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, "--wait=false")
    installed.kubectl("delete", "role,rolebinding", ACCOUNT, "-n", plane_namespace)
    with ControllerProcess(installed, "--namespace", plane_namespace, **scoped) as controller:
        workspaces.wait_gone(installed, plane_namespace, "workspace", "phi")
        assert not any("Traceback" in line for line in controller.log)
