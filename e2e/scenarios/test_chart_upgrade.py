"""Charts of every age with their own endpoint pickers; and the chart is changed while requests run: how many are lost."""

import json

import pytest

from e2e import workspaces
from e2e.cluster import Form, LocalCluster, MissingCapabilityError, up
from e2e.controller import ControllerProcess
from e2e.repacking import repack
from e2e.traffic import Traffic
from e2e.waiting import KUBECTL_TIMEOUT, until

RELEASE = "phi-inferencepool"
PICKER = f"{RELEASE}-epp"
MODEL = "phi-4-mini-instruct"


@pytest.fixture
def behind(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


def apply(cluster, namespace, **gateway):
    workspaces.apply(cluster, namespace, workspaces.workspace(gateway=gateway))


def url(cluster, namespace):
    return workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]


def wait_chart(cluster, namespace, version):
    """Wait until the status speaks of the chart in that version."""
    path = f"jsonpath={{.status.gateway.chart.version}}={version}"
    cluster.kubectl("wait", "workspace/phi", "-n", namespace, f"--for={path}", KUBECTL_TIMEOUT)


def picker(cluster, namespace):
    """The endpoint picker's Deployment."""
    return workspaces.get(cluster, namespace, "deployment", PICKER)


def configured(folder, settings):
    """Write a settings file and return the controller's arguments for it."""
    path = folder / "settings.yaml"
    path.write_text(json.dumps(settings))
    return "--config", str(path)


@pytest.fixture
def pickers_of_old(serving_cluster):
    """The images of earlier endpoint pickers, which only some clusters have."""
    if not isinstance(serving_cluster, LocalCluster):
        raise MissingCapabilityError("images are put only on clusters of this machine")
    up(serving_cluster.name, Form.FULL, ["endpoint-pickers-of-old"])


@pytest.mark.optional_addons
@pytest.mark.usefixtures("pickers_of_old")
@pytest.mark.parametrize("version", ["v1.0.1", "v1.3.1", "v1.4.0"])
def test_an_earlier_chart_serves_with_the_endpoint_picker_that_belongs_to_it(serving_cluster, namespace, behind, version):
    with ControllerProcess(serving_cluster):
        apply(serving_cluster, namespace, chart={"version": version}, **behind)
        workspaces.wait_ready(serving_cluster, namespace, "phi")
        (container,) = picker(serving_cluster, namespace)["spec"]["template"]["spec"]["containers"]
        assert container["image"].endswith(f"/epp:{version}")
        with Traffic(serving_cluster, url(serving_cluster, namespace), MODEL) as traffic:
            traffic.wait_answered()
        assert traffic.lost == {}


NEW_PICKER_EARLY = {"endpointPicker": {"values": {"inferenceExtension": {"image": {"tag": "v1.5.0"}}}}}


@pytest.mark.parametrize("failure_mode", ["FailOpen", "FailClose"])
def test_requests_during_an_upgrade_of_the_chart(serving_cluster, namespace, behind, failure_mode, tmp_path, capsys):
    """The charts replace their endpoint picker with strategy Recreate, so that for some seconds there is none; Flux changes that.

    Both versions run the endpoint picker of 1.5, the only one that every cluster has an image of.
    """
    upgrade(serving_cluster, namespace, behind, failure_mode, configured(tmp_path, NEW_PICKER_EARLY), capsys)


@pytest.mark.optional_addons
@pytest.mark.usefixtures("pickers_of_old")
@pytest.mark.parametrize("failure_mode", ["FailOpen", "FailClose"])
def test_requests_during_an_upgrade_of_chart_and_endpoint_picker(serving_cluster, namespace, behind, failure_mode, capsys):
    upgrade(serving_cluster, namespace, behind, failure_mode, (), capsys)


def upgrade(cluster, namespace, behind, failure_mode, options, capsys):
    """Upgrade the chart from 1.4 to 1.5 while requests run, and say how many were lost; resources change in the same edit."""
    pool = {"failureMode": failure_mode}
    with ControllerProcess(cluster, *options):
        apply(cluster, namespace, chart={"version": "v1.4.0"}, pool=pool, **behind)
        workspaces.wait_ready(cluster, namespace, "phi")
        uid = workspaces.get(cluster, namespace, "inferencepool", RELEASE)["metadata"]["uid"]
        before = picker(cluster, namespace)
        with Traffic(cluster, url(cluster, namespace), MODEL) as traffic:
            more = {"resources": {"requests": {"cpu": "100m"}}}
            apply(cluster, namespace, chart={"version": "v1.5.0"}, pool=pool, endpointPicker=more, **behind)
            wait_chart(cluster, namespace, "v1.5.0")
            workspaces.wait_ready(cluster, namespace, "phi")
            traffic.wait_answered()
        with capsys.disabled():
            what = "chart alone" if options else "chart and picker"
            print(
                f"\n  1.4.0 to 1.5.0, {what}, {failure_mode}: of {traffic.query_results.total()} requests lost {traffic.lost or 0}"
            )
        found = workspaces.get(cluster, namespace, "inferencepool", RELEASE)
        assert found["metadata"]["uid"] == uid  # in place
        assert found["spec"]["endpointPickerRef"]["failureMode"] == failure_mode
        assert found["spec"]["appProtocol"] == "http"  # the layout of 1.5 leaves it to the CRD
        values = workspaces.get(cluster, namespace, "helmrelease", RELEASE)["spec"]["values"]
        assert "targetPortNumber" not in values["inferencePool"]  # a key of 1.4
        after = picker(cluster, namespace)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["spec"]["template"] != before["spec"]["template"]
        assert after["spec"]["strategy"]["type"] == "RollingUpdate"
        until(lambda: len(workspaces.items(cluster, namespace, "pod", f"inferencepool={PICKER}")) == 1, "the former one to be gone")
        assert traffic.query_results[200] > 0


FORK = "another-inferencepool"


@pytest.fixture
def fork(serving_cluster, tmp_path):
    """The chart in the cluster's registry under another name, which makes it another one for Helm and Flux; its URL."""
    return repack(serving_cluster, tmp_path, name=FORK)


def names_of(cluster, namespace, kind):
    """The names of the Workspace's objects of a kind."""
    return {item["metadata"]["name"] for item in workspaces.items(cluster, namespace, kind, "workspace-ctrl/workspace=phi")}


def test_no_request_is_lost_when_another_chart_takes_its_place(serving_cluster, namespace, behind, fork, tmp_path, capsys):
    cluster = serving_cluster
    source = {"name": "fork", "url": fork, "version": "v1.5.0", "layout": "inferencepool", "insecure": True}
    with ControllerProcess(cluster, *configured(tmp_path, {"chartSources": [{}, source]})):
        apply(cluster, namespace, **behind)
        workspaces.wait_ready(cluster, namespace, "phi")
        with Traffic(cluster, url(cluster, namespace), MODEL) as traffic:
            apply(cluster, namespace, chart={"name": "fork"}, **behind)
            workspaces.wait_gone(cluster, namespace, "helmrelease", RELEASE)
            workspaces.wait_gone(cluster, namespace, "ocirepository", RELEASE)
            workspaces.wait_gone(cluster, namespace, "inferencepool", RELEASE)
            workspaces.wait_gone(cluster, namespace, "deployment", PICKER)
            workspaces.wait_ready(cluster, namespace, "phi")
            traffic.wait_answered()
        with capsys.disabled():
            print(f"\n  another chart: of {traffic.query_results.total()} requests lost {traffic.lost or 0}")
        assert traffic.lost == {}
        for kind in ("helmrelease", "ocirepository", "inferencepool"):
            assert names_of(cluster, namespace, kind) == {f"phi-{FORK}"}
        assert names_of(cluster, namespace, "service") == {"phi", f"phi-{FORK}-epp"}
        assert workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["pool"] == f"phi-{FORK}"
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        assert names_of(cluster, namespace, "inferencepool") == set()
