"""The guide from KAITO, live: beside it, in its place and beside it again, while clients ask without a pause."""

import json

import pytest

from e2e import policies, workspaces
from e2e.cluster.images import VLLM_IMAGE
from e2e.controller import ControllerProcess
from e2e.traffic import Traffic
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.plane import kaito

MODEL = "phi-4-mini-instruct"
PORT = 5000
PROBE = ("--probe", "models")


@pytest.fixture
def with_kaito(serving_cluster):
    """The cluster with KAITO's CRDs in place of ours, until the test ends; whose policies are in force is the test's."""
    kaito.install_kaitos(serving_cluster)
    yield serving_cluster
    kaito.install_ours(serving_cluster)
    policies.install(serving_cluster)


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


def kaitos_objects(workspace):
    """The StatefulSet and the Service that KAITO makes, with a model server that really answers."""
    workload = kaito.stateful_set(workspace)
    name = workspace["metadata"]["name"]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    health = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1}
    command = ["vllm", "serve", f"microsoft/{MODEL}", "--served-model-name", MODEL, "--port", str(PORT)]
    container |= {"image": VLLM_IMAGE, "command": command, "readinessProbe": health}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "ownerReferences": workload["metadata"]["ownerReferences"]},
        "spec": {"selector": {kaito.LABEL: name}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]},
    }
    return workload, service


def retire_kaitos(cluster, namespace, traffic):
    """Remove KAITO's StatefulSet as the guide says: nothing drains its pod, so it leaves the pool before it ends."""
    (pod,) = pods_of(cluster, namespace, "StatefulSet")
    cluster.kubectl("delete", "statefulset", "phi", "-n", namespace, "--cascade=orphan", actor="user")
    cluster.kubectl("label", "pod", pod, "-n", namespace, f"{kaito.LABEL}-", actor="user")
    traffic.wait_answered()
    cluster.kubectl("delete", "pod", pod, "-n", namespace, actor="user")


def pods_of(cluster, namespace, kind):
    """The names of the pods that a StatefulSet or a ReplicaSet has."""
    pods = workspaces.items(cluster, namespace, "pod", f"{kaito.LABEL}=phi")
    return {pod["metadata"]["name"] for pod in pods if pod["metadata"]["ownerReferences"][0]["kind"] == kind}


def wait_told(cluster, namespace):
    """The URL that the annotation tells, once it does."""
    until(lambda: told(cluster, namespace).get("url"), "the URL to be in the annotation")
    return told(cluster, namespace)["url"]


def told(cluster, namespace):
    annotations = workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["annotations"]
    return json.loads(annotations.get("workspace-ctrl/status", "{}")).get("gateway", {})


@pytest.mark.timeout(900)
def test_no_request_is_lost_from_kaito_to_here_and_back(with_kaito, namespace, gateway, capsys):
    cluster = with_kaito
    policies.install(cluster, {"mode": "companion"})
    document = workspaces.workspace()
    document["metadata"]["annotations"] = {"workspace-ctrl/gateway": json.dumps(gateway)}
    workspaces.apply(cluster, namespace, document)
    theirs = kaitos_objects(workspaces.get(cluster, namespace, "workspace", "phi"))
    workspaces.apply(cluster, namespace, *theirs)

    with ControllerProcess(cluster, "--mode=companion", *PROBE, inside=True):
        workspaces.wait_ready(cluster, namespace, "phi")
        url = wait_told(cluster, namespace)
    with Traffic(cluster, url, MODEL) as traffic:
        cluster.kubectl("annotate", "workspace/phi", "-n", namespace, "workspace-ctrl/adopt=Service", actor="user")
        policies.install(cluster)
        kaito.install_ours(cluster)
        with ControllerProcess(cluster, *PROBE, inside=True):
            workspaces.wait_ready(cluster, namespace, "phi", "Ready")
            retire_kaitos(cluster, namespace, traffic)
            traffic.wait_answered()
        assert workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"] == url

        kaito.install_kaitos(cluster)
        policies.install(cluster, {"mode": "companion"})
        workspaces.apply(cluster, namespace, theirs[0])
        with ControllerProcess(cluster, "--mode=companion", *PROBE, inside=True):
            assert wait_told(cluster, namespace) == url
            cluster.kubectl("rollout", "status", "statefulset/phi", "-n", namespace, KUBECTL_TIMEOUT)
            cluster.kubectl("delete", "deployment", "phi", "-n", namespace, actor="user")
            until(lambda: not pods_of(cluster, namespace, "ReplicaSet"), "our pod to go")
            workspaces.wait_ready(cluster, namespace, "phi")
            traffic.wait_answered()
    with capsys.disabled():
        print(f"\n  from KAITO and back: of {traffic.query_results.total()} requests lost {traffic.lost or 0}")
    assert traffic.lost == {}
