"""What a chart has in the whole cluster outlives neither its Workspace nor the namespace, whoever is away meanwhile: it is counted.

With monitoring on, the chart makes a ClusterRole and a ClusterRoleBinding, which no garbage collector deletes with a namespaced owner.
"""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.plane.test_chart_inputs import SERVICE_MONITORS

RELEASE = "phi-inferencepool"
FLUX = "helm-controller"
KINDS = ("ClusterRole", "ClusterRoleBinding")
MONITORED = {"endpointPicker": {"values": {"inferenceExtension": {"monitoring": {"prometheus": {"enabled": True}}}}}}


@pytest.fixture
def running(installed, tmp_path):
    """Start a controller whose endpoint pickers have monitoring on."""
    installed.kubectl("apply", "-f", "-", input=json.dumps(SERVICE_MONITORS))
    workspaces.wait_served(installed, "servicemonitors.monitoring.coreos.com")
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(MONITORED))
    return lambda: ControllerProcess(installed, "--config", str(path))


@pytest.fixture
def place(installed, plane_namespace):
    """A namespace that the test may delete."""
    name = f"{plane_namespace}-n"
    installed.kubectl("create", "namespace", name)
    yield name
    installed.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def flux_away(installed):
    """Stop helm-controller by calling the first function, and start it by the second one."""
    away = []

    def leave():
        away.append(FLUX)
        installed.stop_program(FLUX)

    def come_back():
        if away:
            installed.start_program(away.pop())

    yield leave, come_back
    come_back()


def cluster_wide(cluster, namespace):
    """The kinds of all objects of the cluster that belong to a release in that namespace."""
    items = json.loads(cluster.kubectl("get", ",".join(KINDS), "-o", "json"))["items"]
    return tuple(
        sorted(
            item["kind"]
            for item in items
            if item["metadata"].get("annotations", {}).get("meta.helm.sh/release-namespace") == namespace
        )
    )


def wait_for(cluster, namespace, kinds):
    until(lambda: cluster_wide(cluster, namespace) == kinds, f"{kinds or 'nothing'} to be left of {namespace}")


def make(cluster, place, gateway, gateways):
    workspaces.apply(cluster, place, workspaces.workspace("phi", gateway=workspaces.behind(gateway, gateways)))
    workspaces.wait_ready(cluster, place, "phi")
    assert cluster_wide(cluster, place) == KINDS


def test_nothing_is_left_of_a_workspace_that_is_removed(installed, running, plane_namespace, gateway, place):
    with running():
        make(installed, place, gateway, plane_namespace)
        installed.kubectl("delete", "workspace", "phi", "-n", place, KUBECTL_TIMEOUT, actor="user")
        wait_for(installed, place, ())


def test_nothing_is_left_where_a_user_deletes_the_release_before(installed, running, plane_namespace, gateway, place):
    with running():
        make(installed, place, gateway, plane_namespace)
        uid = workspaces.get(installed, place, "helmrelease", RELEASE)["metadata"]["uid"]
        installed.kubectl("delete", "helmrelease", RELEASE, "-n", place, KUBECTL_TIMEOUT, actor="user")
        until(
            lambda: uid not in {item["metadata"]["uid"] for item in workspaces.items(installed, place, "helmreleases")},
            "the release to be another one",
        )
        workspaces.wait_ready(installed, place, "phi")
        wait_for(installed, place, KINDS)
        installed.kubectl("delete", "workspace", "phi", "-n", place, KUBECTL_TIMEOUT, actor="user")
        wait_for(installed, place, ())


def test_nothing_is_left_where_flux_is_away_meanwhile(installed, running, plane_namespace, gateway, place, flux_away):
    leave, come_back = flux_away
    with running():
        make(installed, place, gateway, plane_namespace)
        leave()
        installed.kubectl("delete", "workspace", "phi", "-n", place, "--wait=false", actor="user")
        workspaces.wait_gone(installed, place, "httproute", "phi")
        assert cluster_wide(installed, place) == KINDS
        come_back()
        workspaces.wait_gone(installed, place, "workspace", "phi")
        wait_for(installed, place, ())


def test_nothing_is_left_of_a_namespace_that_is_deleted(installed, running, plane_namespace, gateway, place):
    with running():
        make(installed, place, gateway, plane_namespace)
        installed.kubectl("delete", "namespace", place, KUBECTL_TIMEOUT, actor="user")
        wait_for(installed, place, ())


def test_nothing_is_left_of_a_namespace_where_all_are_away_meanwhile(
    installed, running, plane_namespace, gateway, place, flux_away
):
    """Flux comes back when the Secret is gone by which it knows what it has installed."""
    leave, come_back = flux_away
    with running():
        make(installed, place, gateway, plane_namespace)
    leave()
    installed.kubectl("delete", "namespace", place, "--wait=false", actor="user")
    until(lambda: workspaces.items(installed, place, "secrets") == [], "the Secrets of Helm to be gone")
    come_back()
    with running():
        installed.kubectl("wait", f"namespace/{place}", "--for=delete", KUBECTL_TIMEOUT)
        wait_for(installed, place, ())
