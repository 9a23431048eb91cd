"""The pod of a preset, whole: whatever changes here rolls out every model server at the next upgrade, so it changes on purpose only."""

from typing import Any

import pytest

from tests.unit.factories import NAME, SETTINGS, quickstart, workspace
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server

HEALTH = {"httpGet": {"path": "/health", "port": 5000}, "timeoutSeconds": 5}
MULTI = {
    "resource": {"count": 2, "instanceType": "Standard_NC48ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "llama"}}},
    "inference": {"preset": {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}},
}


def pod_of(**changes: Any) -> dict[str, Any]:
    record = workspace(quickstart(**changes))
    server = model_server(record, parse_workspace(record.meta.ref.name, record.fields()), ServerRecords(), SETTINGS)
    template: dict[str, Any] = server.workload["spec"]["template"]
    return template


def container_of(**changes: Any) -> dict[str, Any]:
    (found,) = pod_of(**changes)["spec"]["containers"]
    return found


def test_the_pod_of_a_preset():
    pod = pod_of()
    (container,) = pod["spec"].pop("containers")
    del pod["spec"]["affinity"]
    assert pod == {
        "metadata": {"labels": {"kaito.sh/workspace": NAME}},
        "spec": {
            "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory"}}, {"name": "weights", "emptyDir": {}}],
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
            ],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 330,
        },
    }
    del container["command"], container["lifecycle"]
    assert container == {
        "name": "vllm",
        "image": "docker.io/vllm/vllm-openai:v0.33.0",
        "ports": [{"name": "http", "containerPort": 5000, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "HF_HOME", "value": "/workspace/weights"},
        ],
        "resources": {
            "requests": {"cpu": "3", "memory": "10Gi", "ephemeral-storage": "10Gi", "nvidia.com/gpu": "1"},
            "limits": {"nvidia.com/gpu": "1"},
        },
        "startupProbe": {**HEALTH, "periodSeconds": 2, "failureThreshold": 1907},
        "readinessProbe": {**HEALTH, "periodSeconds": 4, "failureThreshold": 2},
        "livenessProbe": {**HEALTH, "periodSeconds": 10, "failureThreshold": 6},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}, {"name": "weights", "mountPath": "/workspace/weights"}],  # noqa: S108
    }


def test_where_it_may_run():
    expressions = [
        {"key": "apps", "operator": "In", "values": ["phi-4-mini"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_NC24ads_A100_v4"]},
    ]
    required = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    affinity = pod_of()["spec"]["affinity"]
    assert affinity == {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_the_pods_of_several_nodes_know_their_leader_and_their_rank():
    container = container_of(**MULTI)
    assert container["env"] == [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "HF_HOME", "value": "/workspace/weights"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "HF_TOKEN"}}},
        {"name": "LEADER", "value": f"{NAME}-0.{NAME}-headless.default.svc"},
        {"name": "POD_INDEX", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}},
        {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    assert container["ports"] == [
        {"name": "http", "containerPort": 5000, "protocol": "TCP"},
        {"name": "rendezvous", "containerPort": 29501, "protocol": "TCP"},
    ]
    assert "lifecycle" not in container
    assert "terminationGracePeriodSeconds" not in pod_of(**MULTI)["spec"]


@pytest.mark.parametrize(
    ("options", "adapters", "secrets"),
    [
        pytest.param(None, [], None, id="none"),
        pytest.param({}, [], None, id="no options that count"),
        pytest.param({"imagePullSecrets": ["a", "b"]}, [], ["a", "b"], id="of the preset"),
        pytest.param(None, [["c"]], ["c"], id="of an adapter"),
        pytest.param({"imagePullSecrets": ["a"]}, [["b", "a"], None, ["c"]], ["a", "b", "c"], id="of all, each once"),
    ],
)
def test_secrets_for_images(options, adapters, secrets):
    preset = {"name": "phi-4-mini-instruct", **({"presetOptions": options} if options is not None else {})}
    sources = [
        {"source": {"name": f"a-{number}", "image": "r.example/a:1", **({"imagePullSecrets": names} if names else {})}}
        for number, names in enumerate(adapters)
    ]
    pod = pod_of(inference={"preset": preset, **({"adapters": sources} if sources else {})})
    found = pod["spec"].get("imagePullSecrets")
    assert found == ([{"name": name} for name in secrets] if secrets else None)
