"""The chart of llm-d for real: it serves, is repaired, and takes the place of inferencepool and gives it back while requests run.

The chart is our stand-in, with the names, values and objects of the real one; its endpoint picker is that of inferencepool 1.5.
"""

import json

import pytest

from e2e import flux, workspaces
from e2e.chat import chats, chats_until_answered
from e2e.cluster import Form, LocalCluster, MissingCapabilityError, llm_d, up
from e2e.controller import ControllerProcess
from e2e.repacking import helm
from e2e.traffic import Traffic
from e2e.waiting import KUBECTL_TIMEOUT

MODEL = "phi-4-mini-instruct"
RELEASE = f"phi-{llm_d.CHART}"
PICKER = f"{RELEASE}-epp"
FORMER = "phi-inferencepool"


@pytest.fixture
def prepared(serving_cluster):
    """The cluster with the images of the endpoint pickers."""
    if not isinstance(serving_cluster, LocalCluster):
        raise MissingCapabilityError("images are put only on clusters of this machine")
    up(serving_cluster.name, Form.FULL, ["llm-d-endpoint-pickers"])
    return serving_cluster


@pytest.fixture
def behind(prepared, namespace):
    with workspaces.programmed_gateway(prepared, namespace) as field:
        yield field


@pytest.fixture
def settings(prepared, tmp_path):
    """Write the controller's settings, with both charts and checks of charts; return its arguments."""

    def write(version="v0.10.0", **more):
        source = {"name": "llm-d", "url": prepared.chart_source_url(llm_d.CHART), "version": version, "insecure": True}
        path = tmp_path / "settings.yaml"
        check = {"enabled": True, "helm": helm()}
        path.write_text(json.dumps({"chartSources": [{}, source], "chartCheck": check, **more}))
        return "--config", str(path)

    return write


def apply(cluster, namespace, chart=None, **gateway):
    chosen = {"chart": {"name": chart}} if chart else {}
    workspaces.apply(cluster, namespace, workspaces.workspace(gateway={**chosen, **gateway}))


def url(cluster, namespace):
    return workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]


def names_of(cluster, namespace, kind):
    """The names of the Workspace's objects of a kind."""
    return {item["metadata"]["name"] for item in workspaces.items(cluster, namespace, kind, "workspace-ctrl/workspace=phi")}


@pytest.mark.parametrize("version", llm_d.VERSIONS)
def test_a_model_is_served_and_what_somebody_edits_or_deletes_of_the_chart_is_restored(
    cluster, namespace, behind, settings, version
):
    with ControllerProcess(cluster, *settings(version), "--probe", "models", inside=True):
        apply(cluster, namespace, "llm-d", **behind)
        workspaces.wait_ready(cluster, namespace, "phi")
        assert [answer.status for answer in chats(cluster, url(cluster, namespace), MODEL, "who chose you?", 10)] == [200] * 10
        (pod,) = workspaces.items(cluster, namespace, "pod", f"llm-d-router-gateway={PICKER}")
        assert pod["spec"]["containers"][0]["image"].endswith(f"/{llm_d.PICKER}:{version}")
        assert pod["metadata"]["labels"]["workspace-ctrl/endpoint-picker"] == PICKER
        flux.wait_edits_count(cluster, namespace, RELEASE)
        change = json.dumps({"spec": {"selector": {"matchLabels": {"kaito.sh/workspace": "another"}}}})
        cluster.kubectl("patch", "inferencepool", RELEASE, "-n", namespace, "--type=merge", "-p", change, actor="user")
        path = "jsonpath={.spec.selector.matchLabels.kaito\\.sh/workspace}=phi"
        cluster.kubectl("wait", f"inferencepool/{RELEASE}", "-n", namespace, f"--for={path}", KUBECTL_TIMEOUT)
        for kind in ("service", "destinationrule", "role"):
            name = f"{PICKER}-sa" if kind == "role" else PICKER
            cluster.kubectl("delete", kind, name, "-n", namespace, actor="user")
            cluster.kubectl("wait", f"{kind}/{name}", "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
        workspaces.wait_ready(cluster, namespace, "phi")
        # All is there again, and the proxy may still be getting what it lost and what it got in return: no object of the API tells.
        chats_until_answered(cluster, url(cluster, namespace), MODEL, "and now?", 5)
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        assert names_of(cluster, namespace, "inferencepool") == set()


def test_no_request_is_lost_from_inferencepool_to_llm_d_and_back(prepared, namespace, behind, settings, capsys):
    cluster = prepared
    with ControllerProcess(cluster, *settings(), "--probe", "models", inside=True):
        apply(cluster, namespace, **behind)
        workspaces.wait_ready(cluster, namespace, "phi")
        for chart, new, old in (("llm-d", RELEASE, FORMER), ("default", FORMER, RELEASE)):
            with Traffic(cluster, url(cluster, namespace), MODEL) as traffic:
                apply(cluster, namespace, chart, **behind)
                wait_moved(cluster, namespace, old)
                traffic.wait_answered()
            with capsys.disabled():
                print(f"\n  {old} to {new}: of {traffic.query_results.total()} requests lost {traffic.lost or 0}")
            assert traffic.lost == {}
            for kind in ("helmrelease", "ocirepository", "inferencepool"):
                assert names_of(cluster, namespace, kind) == {new}
            assert workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["pool"] == new


def wait_moved(cluster, namespace, old):
    """Wait until nothing of the chart with the release `old` is left, and all is ready."""
    for kind, name in (("helmrelease", old), ("ocirepository", old), ("inferencepool", old), ("deployment", f"{old}-epp")):
        workspaces.wait_gone(cluster, namespace, kind, name)
    workspaces.wait_ready(cluster, namespace, "phi")


def test_an_endpoint_picker_of_llm_d_that_does_not_start_is_told_with_its_reason(prepared, namespace, behind, settings):
    cluster = prepared
    image = {"values": {"router": {"epp": {"image": {"tag": "v0.10.99"}}}}}
    only = [{"name": "llm-d", "url": cluster.chart_source_url(llm_d.CHART), "version": "v0.10.0", "insecure": True}]
    with ControllerProcess(cluster, *settings(chartSources=only, endpointPicker=image), "--chart-url", only[0]["url"], inside=True):
        apply(cluster, namespace, **behind)
        found = workspaces.wait_reason(cluster, namespace, "phi", "EndpointPickerReady", "ImagePullError")
        assert f"Pod {namespace}/{PICKER}-" in found["message"]
        assert "v0.10.99" in found["message"]
