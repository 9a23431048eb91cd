"""A namespace with a ready Workspace is deleted."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from tests.plane.accounts import ACCOUNT, role

ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
CLUSTER = [
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways", "gatewayclasses"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["list", "watch"]},
    {"apiGroups": ["kaito.sh"], "resources": ["workspaces"], "verbs": ["list", "watch", "patch"]},
]
"""What the chart's ClusterRole has with `scope.namespaces`."""


@pytest.fixture
def going(installed, plane_namespace):
    """A namespace that the test deletes."""
    name = f"{plane_namespace}-n"
    installed.kubectl("create", "namespace", name)
    yield name
    installed.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def scoped(installed, plane_namespace, going, account):
    """The kubeconfig of a controller with the rights of `scope.namespaces`: a Role in the namespace, and a ClusterRole."""
    workspaces.apply(installed, going, *role("Role", ACCOUNT, ALL, plane_namespace))
    wide = role("ClusterRole", f"{ACCOUNT}-{plane_namespace}", CLUSTER, plane_namespace)
    installed.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, wide)))
    yield account
    installed.kubectl("delete", "clusterrole,clusterrolebinding", f"{ACCOUNT}-{plane_namespace}")


def ready(cluster, namespace, gateway, gateways):
    workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, gateways)))
    workspaces.wait_ready(cluster, namespace, "phi", "GatewayReady")


def test_the_controller_lets_go_and_has_the_chart_uninstalled_before_the_objects_are_deleted(
    installed, plane_namespace, gateway, going
):
    with ControllerProcess(installed) as controller:
        ready(installed, going, gateway, plane_namespace)
        installed.kubectl("delete", "namespace", going, KUBECTL_TIMEOUT, actor="user")
        assert any("NamespaceTerminating" in line for line in controller.log)
        assert any(f"deleting HelmRelease {going}/phi-inferencepool" in line for line in controller.log)
        assert not any("requesting a reconciliation" in line or "Traceback" in line for line in controller.log)


def test_a_controller_that_was_away_takes_the_finalizer_off_when_its_role_is_gone(
    installed, plane_namespace, gateway, going, scoped
):
    with ControllerProcess(installed, "--namespace", going, kubeconfig=scoped):
        ready(installed, going, gateway, plane_namespace)
    installed.kubectl("delete", "namespace", going, "--wait=false", actor="user")
    workspaces.wait_gone(installed, going, "role", ACCOUNT)
    with ControllerProcess(installed, "--namespace", going, kubeconfig=scoped) as controller:
        installed.kubectl("wait", f"namespace/{going}", "--for=delete", KUBECTL_TIMEOUT)
        assert not any("Traceback" in line for line in controller.log)
