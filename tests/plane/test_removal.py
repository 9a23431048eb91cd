"""The gateway side goes away in order, when it is no longer wanted and when Flux does not do its part."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.plane.test_lifecycle import EVERY_KIND

SELECTOR = "workspace-ctrl/workspace=phi,app.kubernetes.io/managed-by!=workspace-ctrl"


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def ready(cluster, namespace, behind):
    workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def patch(cluster, namespace, target, document):
    cluster.kubectl("patch", target, "-n", namespace, "--type=merge", "-p", json.dumps(document), actor="user")


def wait_without(cluster, namespace, type_):
    """Wait until a Workspace has no such condition any more."""
    until(lambda: not workspaces.condition(cluster, namespace, "phi", type_), f"the Workspace to be without {type_}")


def deletions(cluster, namespace):
    """The plural of what the controller deleted, in order."""
    events = cluster.audit_events("controller")
    return [
        event["objectRef"]["resource"]
        for event in events
        if event["verb"] == "delete" and event["objectRef"].get("namespace") == namespace
    ]


def test_a_workspace_that_wants_no_gateway_any_more_loses_it_in_order_and_gets_it_back(installed, plane_namespace, behind):
    namespace = plane_namespace
    with ControllerProcess(installed):
        ready(installed, namespace, behind)
        patch(installed, namespace, "workspace/phi", {"gateway": {"enabled": False}})
        for kind, name in (("httproute", "phi"), ("helmrelease", "phi-inferencepool"), ("ocirepository", "phi-inferencepool")):
            workspaces.wait_gone(installed, namespace, kind, name)
        assert deletions(installed, namespace) == ["httproutes", "helmreleases", "ocirepositories"]
        assert workspaces.items(installed, namespace, EVERY_KIND, SELECTOR) == []
        workspaces.wait_ready(installed, namespace, "phi", "Ready")
        wait_without(installed, namespace, "GatewayReady")
        patch(installed, namespace, "workspace/phi", {"gateway": {"enabled": True}})
        workspaces.wait_ready(installed, namespace, "phi", "GatewayReady")


def test_a_suspended_release_is_resumed_when_the_gateway_is_no_longer_wanted(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        ready(installed, plane_namespace, behind)
        patch(installed, plane_namespace, "helmrelease/phi-inferencepool", {"spec": {"suspend": True}})
        workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "Paused")
        patch(installed, plane_namespace, "workspace/phi", {"gateway": {"enabled": False}})
        workspaces.wait_gone(installed, plane_namespace, "ocirepository", "phi-inferencepool")
        assert workspaces.items(installed, plane_namespace, EVERY_KIND, SELECTOR) == []


def test_a_removal_that_hangs_is_said_while_the_model_goes_on(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        ready(installed, plane_namespace, behind)
        installed.stop_program("helm-controller")
        try:
            patch(installed, plane_namespace, "workspace/phi", {"gateway": {"enabled": False}})
            found = workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "Removing")
            assert (
                found["message"].startswith("gateway disabled; waiting for the deletion of HTTPRoute")
                or "HelmRelease" in found["message"]
            )
            workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        finally:
            installed.start_program("helm-controller")
        workspaces.wait_gone(installed, plane_namespace, "ocirepository", "phi-inferencepool")


def test_what_flux_leaves_behind_without_its_service_account_is_deleted(installed, plane_namespace, behind):
    with ControllerProcess(installed) as controller:
        ready(installed, plane_namespace, behind)
        patch(installed, plane_namespace, "helmrelease/phi-inferencepool", {"spec": {"serviceAccountName": "nobody"}})
        workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "StateError")
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        for item in workspaces.items(installed, plane_namespace, EVERY_KIND, "workspace-ctrl/workspace=phi"):
            workspaces.wait_gone(installed, plane_namespace, item["kind"], item["metadata"]["name"])
        assert any("which Flux left behind" in line for line in controller.log)
        assert workspaces.items(installed, plane_namespace, EVERY_KIND, "workspace-ctrl/workspace=phi") == []
