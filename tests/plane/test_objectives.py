"""InferenceObjectives on a real API server: made, changed, removed; and what happens without their CRD."""

import json

import pytest

from e2e import workspaces
from e2e.cluster import llm_d
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

OF_LLM_D = "inferenceobjectives.llm-d.ai"
CRD = "inferenceobjectives.inference.networking.x-k8s.io"
INTERACTIVE = {"name": "interactive", "priority": 10}
BATCH = {"name": "batch", "priority": -1}


@pytest.fixture
def asking(plane_namespace, gateway):
    def document(name, *objectives):
        wanted = {"objectives": list(objectives)} if objectives else {}
        return workspaces.workspace(name, gateway={**workspaces.behind(gateway, plane_namespace), **wanted})

    return document


def priorities(cluster, namespace, kind=CRD):
    found = workspaces.items(cluster, namespace, kind)
    return {item["metadata"]["name"]: (item["spec"]["priority"], item["spec"]["poolRef"]["name"]) for item in found}


def wait_told(cluster, namespace, name, *told):
    def holds():
        return workspaces.get(cluster, namespace, "workspace", name)["status"]["gateway"].get("objectives", []) == list(told)

    until(holds, f"a status that tells of {told}")


def test_they_follow_the_spec_and_cost_no_write_when_all_is_done(installed, plane_namespace, asking):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster) as controller:
        workspaces.apply(cluster, namespace, asking("phi", INTERACTIVE, BATCH), asking("poet", INTERACTIVE))
        for name in ("phi", "poet"):
            workspaces.wait_ready(cluster, namespace, name, "Ready")
            workspaces.wait_ready(cluster, namespace, name, "ObjectivesReady")
        assert priorities(cluster, namespace) == {
            "phi.interactive": (10, "phi-inferencepool"),
            "phi.batch": (-1, "phi-inferencepool"),
            "poet.interactive": (10, "poet-inferencepool"),
        }
        assert controller.writes(namespace)["patch", "inferenceobjectives"] == 3
        workspaces.apply(cluster, namespace, asking("phi", {**INTERACTIVE, "priority": 11}))
        cluster.kubectl("wait", f"{CRD}/phi.batch", "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)
        wait_told(cluster, namespace, "phi", "phi.interactive")
        assert priorities(cluster, namespace)["phi.interactive"] == (11, "phi-inferencepool")
        # What somebody else changes or takes away is brought back.
        change = json.dumps({"spec": {"priority": 99}})
        target = f"{CRD}/phi.interactive"
        cluster.kubectl("patch", target, "-n", namespace, "--type=merge", "-p", change, actor="user")
        cluster.kubectl("wait", target, "-n", namespace, "--for=jsonpath={.spec.priority}=11", KUBECTL_TIMEOUT)
        cluster.kubectl("delete", target, "-n", namespace, actor="user")
        cluster.kubectl("wait", target, "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
    with ControllerProcess(cluster) as restarted:
        # A Workspace made now shows that the others were looked at before it.
        workspaces.apply(cluster, namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(cluster, namespace, "later", "Ready")
        assert restarted.writes(namespace)["patch", "inferenceobjectives"] == 0
        workspaces.apply(cluster, namespace, asking("phi"))
        cluster.kubectl("wait", target, "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        until(lambda: workspaces.condition(cluster, namespace, "phi", "ObjectivesReady") == {}, "no word of objectives")
        cluster.kubectl("delete", "workspace", "poet", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        cluster.kubectl("wait", f"{CRD}/poet.interactive", "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)


def test_what_the_spec_lost_while_nobody_watched_goes_at_the_next_start(installed, plane_namespace, asking):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster):
        workspaces.apply(cluster, namespace, asking("phi", BATCH))
        workspaces.wait_ready(cluster, namespace, "phi", "ObjectivesReady")
    workspaces.apply(cluster, namespace, asking("phi"))
    with ControllerProcess(cluster):
        cluster.kubectl("wait", f"{CRD}/phi.batch", "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)


def test_without_their_crd_the_model_is_served_and_they_are_made_when_it_comes(installed, plane_namespace, asking):
    cluster, namespace = installed, plane_namespace
    crd = workspaces.get(cluster, "default", "crd", CRD)
    kept = {"apiVersion": crd["apiVersion"], "kind": crd["kind"], "metadata": {"name": CRD}, "spec": crd["spec"]}
    kept["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"} | (
        crd["metadata"].get("annotations") or {}
    )
    cluster.kubectl("delete", "crd", CRD, KUBECTL_TIMEOUT)
    try:
        with ControllerProcess(cluster):
            workspaces.apply(cluster, namespace, asking("phi", INTERACTIVE))
            workspaces.wait_ready(cluster, namespace, "phi", "Ready")
            found = workspaces.wait_reason(cluster, namespace, "phi", "ObjectivesReady", "CRDsNotAvailable")
            assert "cannot list or watch inferenceobjectives of inference.networking.x-k8s.io/v1alpha2" in found["message"]
            assert workspaces.condition(cluster, namespace, "phi", "GatewayReady")["status"] == "True"
            cluster.kubectl("create", "-f", "-", input=json.dumps(kept))
            workspaces.wait_ready(cluster, namespace, "phi", "ObjectivesReady")
            assert priorities(cluster, namespace) == {"phi.interactive": (10, "phi-inferencepool")}
    finally:
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(kept))


@pytest.fixture
def crd_of_llm_d(installed):
    """Install the CRD of llm-d's InferenceObjective, and remove it afterwards; returns how to install it."""

    def install():
        installed.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(llm_d.OBJECTIVES_CRD))
        workspaces.wait_served(installed, OF_LLM_D)

    yield install
    installed.kubectl("delete", "crd", OF_LLM_D, "--ignore-not-found", KUBECTL_TIMEOUT)


@pytest.fixture
def both_charts(installed, tmp_path):
    """The controller's arguments, with inferencepool and the chart of llm-d."""
    path = tmp_path / "settings.yaml"
    source = {"name": "llm-d", "url": installed.chart_source_url(llm_d.CHART), "version": "v0.10.0", "insecure": True}
    path.write_text(json.dumps({"chartSources": [{}, source]}))
    return "--config", str(path)


def test_those_of_llm_d_follow_its_crd_and_its_chart(installed, plane_namespace, gateway, crd_of_llm_d, both_charts):
    cluster, namespace = installed, plane_namespace

    def document(chart, *objectives):
        behind = workspaces.behind(gateway, plane_namespace)
        return workspaces.workspace(gateway={**behind, "chart": {"name": chart}, "objectives": list(objectives)})

    old, new = "phi-inferencepool", f"phi-{llm_d.CHART}"
    with ControllerProcess(cluster, *both_charts):
        # Without its CRD, the endpoint picker of llm-d reads the objectives of the inference extension.
        workspaces.apply(cluster, namespace, document("llm-d", INTERACTIVE))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        workspaces.wait_ready(cluster, namespace, "phi", "ObjectivesReady")
        assert priorities(cluster, namespace) == {"phi.interactive": (10, new)}
        crd_of_llm_d()
        cluster.kubectl("wait", f"{OF_LLM_D}/phi.interactive", "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
        assert priorities(cluster, namespace, OF_LLM_D) == priorities(cluster, namespace) == {"phi.interactive": (10, new)}
        # A new one is made only where the endpoint picker looks from its next start on.
        workspaces.apply(cluster, namespace, document("llm-d", {**INTERACTIVE, "priority": 11}, BATCH))
        wait_told(cluster, namespace, "phi", "phi.interactive", "phi.batch")
        until(lambda: priorities(cluster, namespace, OF_LLM_D) == {"phi.interactive": (11, new), "phi.batch": (-1, new)}, "both")
        assert priorities(cluster, namespace) == {"phi.interactive": (11, new)}
        # Back to inferencepool, whose endpoint picker does not know those of llm-d.
        workspaces.apply(cluster, namespace, document("default", INTERACTIVE))
        until(lambda: priorities(cluster, namespace) == {"phi.interactive": (10, old)}, "the objective of the former chart")
        until(lambda: priorities(cluster, namespace, OF_LLM_D) == {}, "no objective of llm-d")
        workspaces.wait_ready(cluster, namespace, "phi", "ObjectivesReady")
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
