"""Model servers of every source, for real: several nodes, pod templates, pods of others, and pods that fail."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from e2e import workspaces
from e2e.chat import chat_until_answered, chats_until_answered, fetch
from e2e.cluster.images import VLLM_IMAGE
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

REQUESTS = 60
TWO_NODES = {
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi-4-mini"}}},
    "inference": {"preset": {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}},
}


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace):
        yield f"{namespace}/inference-gateway"


def model_server(model: str, port: int, *flags: str) -> dict[str, Any]:
    """A container that serves `model`, as somebody else would write it."""
    return {
        "name": "server",
        "image": VLLM_IMAGE,
        "command": ["vllm", "serve", model, f"--port={port}", *flags],
        "ports": [{"name": "http", "containerPort": port}],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": port}, "periodSeconds": 1},
    }


def others_deployment(name: str, replicas: int, container: dict[str, Any]) -> dict[str, Any]:
    """A Deployment that knows nothing of Workspaces."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def url_of(cluster, namespace, name):
    return workspaces.get(cluster, namespace, "workspace", name)["status"]["gateway"]["url"]


def wait_model(cluster, url, model):
    """Wait until a model answers: nothing tells when the proxy knows its pods, as nobody probes here."""

    def is_served():
        answer = fetch(cluster, f"{url}/v1/models")
        return answer.status == HTTPStatus.OK and json.loads(answer.text)["data"][0]["id"] == model

    until(is_served, f"{model} to answer")


def pods_of(cluster, namespace, selector):
    return {pod["metadata"]["name"] for pod in workspaces.items(cluster, namespace, "pod", selector)}


def test_a_model_on_several_nodes_is_served_by_its_leader_alone(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    cluster.kubectl("create", "secret", "generic", "hf", "-n", namespace, "--from-literal=HF_TOKEN=none")
    with ControllerProcess(cluster, "--gateway", gateway):
        workspaces.apply(cluster, namespace, workspaces.workspace("llama", **TWO_NODES))
        workspaces.wait_ready(cluster, namespace, "llama")
        workspaces.wait_ready(cluster, namespace, "llama", "Ready")
        status = workspaces.get(cluster, namespace, "workspace", "llama")["status"]
        nodes = status["targetNodeCount"]
        assert nodes > 1
        assert status["workload"] | {"sizing": ""} == {
            "kind": "StatefulSet",
            "name": "llama",
            "replicas": nodes,
            "readyReplicas": nodes,
            "sizing": "",
        }
        assert pods_of(cluster, namespace, "kaito.sh/workspace=llama") == {f"llama-{number}" for number in range(nodes)}
        pool = workspaces.get(cluster, namespace, "inferencepool", "llama-inferencepool")
        selector = pool["spec"]["selector"]["matchLabels"]
        assert pods_of(cluster, namespace, ",".join(f"{key}={value}" for key, value in selector.items())) == {"llama-0"}
        url = url_of(cluster, namespace, "llama")
        query_results = chats_until_answered(cluster, url, "llama-3.3-70b-instruct", "who leads?", REQUESTS)
        assert {(answer.status, answer.pod) for answer in query_results} == {(200, "llama-0")}
        # Clients inside the cluster that use the Service meet the leader, too.
        inside = json.loads(fetch(cluster, f"http://llama.{namespace}.svc.cluster.local/v1/models").text)
        assert inside["data"][0]["id"] == "llama-3.3-70b-instruct"


def test_pods_of_others_share_the_requests_and_are_never_written(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    workspaces.apply(cluster, namespace, others_deployment("llama-cpp", 3, model_server("tiny-llama", 8000)))
    document = workspaces.workspace("mine", resource=None, inference={"workloadRef": {"kind": "Deployment", "name": "llama-cpp"}})
    with ControllerProcess(cluster, "--gateway", gateway) as controller:
        workspaces.apply(cluster, namespace, document)
        workspaces.wait_ready(cluster, namespace, "mine")
        query_results = chats_until_answered(cluster, url_of(cluster, namespace, "mine"), "tiny-llama", "who are you?", REQUESTS)
        assert {answer.status for answer in query_results} == {200}
        assert {answer.pod for answer in query_results} == pods_of(cluster, namespace, "app=llama-cpp")
        written = {call[1] for call in controller.writes(namespace)}
        assert not {entry for entry in written if entry.startswith(("deployments", "services"))}

        cluster.kubectl("scale", "deployment/llama-cpp", "-n", namespace, "--replicas=0", actor="user")
        found = workspaces.wait_reason(cluster, namespace, "mine", "InferenceReady", "ScaledToZero")
        assert found["status"] == "False"
        cluster.kubectl("scale", "deployment/llama-cpp", "-n", namespace, "--replicas=1", actor="user")
        workspaces.wait_ready(cluster, namespace, "mine", "Ready")
        cluster.kubectl("delete", "deployment/llama-cpp", "-n", namespace, actor="user")
        workspaces.wait_reason(cluster, namespace, "mine", "GatewayReady", "WorkloadNotFound")


def test_pods_are_found_by_labels_alone(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lonely", "labels": {"served": "by-hand"}},
        "spec": {"containers": [model_server("tiny-llama", 9000)]},
    }
    reference = {"selector": {"served": "by-hand"}, "targetPort": 9000}
    with ControllerProcess(cluster, "--gateway", gateway):
        workspaces.apply(cluster, namespace, pod, workspaces.workspace("mine", resource=None, inference={"workloadRef": reference}))
        workspaces.wait_ready(cluster, namespace, "mine", "Ready")
        answer = chat_until_answered(cluster, url_of(cluster, namespace, "mine"), "tiny-llama", "hello")
        assert (answer.status, answer.pod) == (200, "lonely")


def test_a_pod_template_serves_on_its_own_port_and_its_edits_roll_out(serving_cluster, namespace, gateway):
    cluster = serving_cluster

    def document(model: str) -> dict[str, Any]:
        return workspaces.workspace("mine", inference={"template": {"spec": {"containers": [model_server(model, 8080)]}}})

    with ControllerProcess(cluster, "--gateway", gateway):
        workspaces.apply(cluster, namespace, document("first"))
        workspaces.wait_ready(cluster, namespace, "mine", "Ready")
        url = url_of(cluster, namespace, "mine")
        wait_model(cluster, url, "first")
        before = workspaces.get(cluster, namespace, "deployment", "mine")["metadata"]["generation"]
        workspaces.apply(cluster, namespace, document("second"))
        cluster.kubectl(
            "wait",
            "deployment/mine",
            "-n",
            namespace,
            f"--for=jsonpath={{.status.observedGeneration}}={before + 1}",
            KUBECTL_TIMEOUT,
        )
        cluster.kubectl("rollout", "status", "deployment/mine", "-n", namespace, KUBECTL_TIMEOUT)
        workspaces.wait_ready(cluster, namespace, "mine", "Ready")
        wait_model(cluster, url, "second")


def test_a_config_map_is_waited_for_and_its_edits_roll_out(serving_cluster, namespace, gateway):
    cluster = serving_cluster

    def config(length: int) -> dict[str, Any]:
        data = {"inference_config.yaml": f"vllm:\n  max-model-len: {length}\n"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": data}

    document = workspaces.workspace("phi", inference={"preset": {"name": "phi-4-mini-instruct"}, "config": "flags"})
    with ControllerProcess(cluster, gate=False) as controller:
        workspaces.apply(cluster, namespace, document)
        found = workspaces.wait_reason(cluster, namespace, "phi", "WorkloadAccepted", "ConfigNotFound")
        assert f"ConfigMap {namespace}/flags" in found["message"]
        workspaces.apply(cluster, namespace, config(4096))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        assert "--max-model-len=4096" in workspaces.command_of(cluster, namespace, "deployment", "phi")
        workspaces.apply(cluster, namespace, config(8192))
        cluster.kubectl("wait", "deployment/phi", "-n", namespace, "--for=jsonpath={.status.observedGeneration}=2", KUBECTL_TIMEOUT)
        assert "--max-model-len=8192" in workspaces.command_of(cluster, namespace, "deployment", "phi")
        assert controller.calls(namespace)["get", "configmaps"] == 2


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        pytest.param({"image": "localhost/no-such-image:1"}, "ImagePullError", "no-such-image", id="image"),
        pytest.param(
            {"command": ["sh", "-c", "echo cannot load; exit 3"]},
            "ContainerCrashLoopBackOff",
            "exited with code 3",
            id="crash loop",
        ),
        pytest.param(
            {
                "command": ["sh", "-c", "tail /dev/zero"],
                "resources": {"limits": {"memory": "32Mi"}},
            },
            "ContainerOOMKilled",
            "the node or its limit ran out of memory",
            id="out of memory",
        ),
    ],
)
def test_inference_ready_says_why_a_pod_fails(serving_cluster, namespace, container, reason, words):
    cluster = serving_cluster
    template = {
        "spec": {
            "containers": [
                {"name": "server", "image": VLLM_IMAGE, "terminationMessagePolicy": "FallbackToLogsOnError", **container}
            ]
        }
    }
    with ControllerProcess(cluster, gate=False):
        workspaces.apply(cluster, namespace, workspaces.workspace("broken", inference={"template": template}))
        found = workspaces.wait_reason(cluster, namespace, "broken", "InferenceReady", reason)
        assert words in found["message"]
        assert found["status"] == "False"


def test_inference_ready_falls_when_a_running_pod_begins_to_crash(serving_cluster, namespace):
    cluster = serving_cluster
    with ControllerProcess(cluster, gate=False):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi"))
        workspaces.wait_ready(cluster, namespace, "phi", "InferenceReady")
        (pod,) = pods_of(cluster, namespace, "kaito.sh/workspace=phi")
        with workspaces.statuses(cluster, namespace, "workspaces", "InferenceReady") as told:
            assert next(told) == "True"
            cluster.kubectl("exec", pod, "-n", namespace, "--", "sh", "-c", "kill -9 -1; kill 1", check=False)
            assert "False" in told
        workspaces.wait_ready(cluster, namespace, "phi", "InferenceReady")
