"""Charts are looked at with the real Helm before their first use: a wrong one is not installed, and what is installed stays."""

import json

import pytest

from e2e import policies, workspaces
from e2e.controller import ControllerProcess
from e2e.repacking import helm, repack
from e2e.waiting import KUBECTL_TIMEOUT

RELEASE = "phi-inferencepool"
WRONG = "v1.5.9"
DIFFERENCE = (
    f'chart inferencepool {WRONG} does not match its layout: "values.yaml has inferenceExtension.image.registry": not found'
)


@pytest.fixture
def checking(tmp_path):
    """The controller's arguments."""
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"chartCheck": {"enabled": True, "helm": helm()}}))
    return "--config", str(path)


@pytest.fixture
def wrong(installed, tmp_path):
    """A chart that says it is of 1.5, and has the values of 1.4."""
    repack(installed, tmp_path, version=WRONG, content="v1.4.0")


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def apply(cluster, namespace, name="phi", **gateway):
    workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=gateway))


def test_each_version_is_looked_at_once_and_nothing_that_is_in_use(installed, plane_namespace, behind, checking):
    with ControllerProcess(installed, *checking) as controller:
        for name in ("phi", "two"):
            apply(installed, plane_namespace, name, **behind)
        for name in ("phi", "two"):
            workspaces.wait_ready(installed, plane_namespace, name)
        assert looked_at(controller) == ["chart inferencepool v1.5.0"]
        apply(installed, plane_namespace, chart={"version": "v1.4.0"}, **behind)
        path = "jsonpath={.status.gateway.chart.version}=v1.4.0"
        installed.kubectl("wait", "workspace/phi", "-n", plane_namespace, f"--for={path}", KUBECTL_TIMEOUT)
        workspaces.wait_ready(installed, plane_namespace, "phi")
        assert looked_at(controller) == ["chart inferencepool v1.5.0", "chart inferencepool v1.4.0"]
    with ControllerProcess(installed, *checking) as controller:
        apply(installed, plane_namespace, "three", **behind)
        workspaces.wait_ready(installed, plane_namespace, "three")
        assert looked_at(controller) == ["chart inferencepool v1.5.0"]  # for the one that is new
        assert controller.writes(plane_namespace)["patch", "ocirepositories"] == 1


def test_a_pinned_chart_is_looked_at_by_its_digest(installed, plane_namespace, behind, checking, tmp_path):
    with ControllerProcess(installed, *checking) as controller:
        apply(installed, plane_namespace, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi")
        digest = workspaces.get(installed, plane_namespace, "workspace", "phi")["status"]["gateway"]["chart"]["digest"]
        assert looked_at(controller) == ["chart inferencepool v1.5.0"]
    source = {"name": "same", "url": installed.chart_source_url(), "insecure": True, "allowedDigests": {"v1.5.0": digest}}
    path = tmp_path / "with_digest.yaml"
    path.write_text(json.dumps({"chartSources": [{}, source], "chartCheck": {"enabled": True, "helm": helm()}}))
    allowed = policies.digest_allowed(installed, "v1.5.0", digest)
    with allowed, ControllerProcess(installed, "--config", str(path)) as controller:
        apply(installed, plane_namespace, "pinned", chart={"name": "same", "digest": digest}, **behind)
        workspaces.wait_ready(installed, plane_namespace, "pinned")
        assert looked_at(controller) == ["chart inferencepool v1.5.0"]


def looked_at(controller):
    """The charts that were found to be right, in order."""
    said = " matches its layout"
    return [line.removesuffix(said).rpartition(": ")[2] for line in controller.log if line.endswith(said)]


def test_a_chart_that_is_not_as_its_layout_says_is_not_installed(installed, plane_namespace, behind, checking, wrong):
    with ControllerProcess(installed, *checking):
        apply(installed, plane_namespace, chart={"version": WRONG}, **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "ChartCheckFailed")
        assert found["message"].startswith(DIFFERENCE)
        see = f"; use another version; see workspace-ctrl chart check {installed.chart_source_url()} --version {WRONG}"
        assert found["message"].endswith(see)
        ready = workspaces.condition(installed, plane_namespace, "phi", "GatewayReady")
        assert (ready["status"], ready["reason"]) == ("False", "ChartCheckFailed")
        assert workspaces.items(installed, plane_namespace, "ocirepository,helmrelease") == []
        apply(installed, plane_namespace, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi")


def test_what_is_installed_stays_when_the_next_version_is_not_right(installed, plane_namespace, behind, checking, wrong):
    with ControllerProcess(installed, *checking):
        apply(installed, plane_namespace, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi")
        before = generations(installed, plane_namespace)
        apply(installed, plane_namespace, chart={"version": WRONG}, endpointPicker={"replicas": 2}, **behind)
        workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "ChartCheckFailed")
        assert generations(installed, plane_namespace) == before
        assert workspaces.condition(installed, plane_namespace, "phi", "EndpointPickerReady")["status"] == "True"
        apply(installed, plane_namespace, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi")
        assert generations(installed, plane_namespace) == before


def generations(cluster, namespace):
    """The generations of source and release."""
    return [
        workspaces.get(cluster, namespace, kind, RELEASE)["metadata"]["generation"] for kind in ("ocirepository", "helmrelease")
    ]


def test_a_registry_that_is_down_is_said_and_the_chart_looked_at_again(installed, plane_namespace, behind, checking):
    with ControllerProcess(installed, *checking):
        installed.stop_program("registry")
        try:
            apply(installed, plane_namespace, **behind)
            found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "ChartNotChecked")
        finally:
            installed.start_program("registry")
        assert found["message"].startswith("chart inferencepool v1.5.0 cannot be checked: Helm failed: ")
        assert "connection refused; check that the controller can reach the registry; retrying" in found["message"]
        workspaces.wait_ready(installed, plane_namespace, "phi")
