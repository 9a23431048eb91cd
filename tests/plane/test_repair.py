"""What somebody changes by hand is brought back; what belongs to others is left to them."""

import json
from collections import Counter

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

SIDECAR = {"name": "injected", "image": "example/sidecar:1"}


@pytest.fixture
def ready(installed, plane_namespace, gateway):
    """A Workspace that is ready, and its controller."""
    with ControllerProcess(installed) as controller:
        document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        yield controller


def patch(cluster, namespace, target, document, type_="merge"):
    """Change an object, named as kind/name, as a user does."""
    cluster.kubectl("patch", target, "-n", namespace, f"--type={type_}", "-p", json.dumps(document), actor="user")


def wait_for(cluster, namespace, target, field):
    """Wait until a field of an object, given as path=value, has that value."""
    cluster.kubectl("wait", target, "-n", namespace, f"--for=jsonpath={{{field.replace('=', '}=', 1)}", KUBECTL_TIMEOUT)


IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "vllm", "image": "example/other:1"}]}}}}
SELECTOR = ".spec.selector.kaito\\.sh/workspace=phi"


@pytest.mark.parametrize(
    ("target", "change", "field"),
    [
        pytest.param(
            "deployment/phi", IMAGE, ".spec.template.spec.containers[0].image=docker.io/vllm/vllm-openai:v0.33.0", id="image"
        ),
        pytest.param("service/phi", {"spec": {"selector": {"kaito.sh/workspace": "other"}}}, SELECTOR, id="selector"),
        pytest.param(
            "helmrelease/phi-inferencepool",
            {"spec": {"values": {"provider": {"name": "none"}}}},
            ".spec.values.provider.name=istio",
            id="chart values",
        ),
        pytest.param("ocirepository/phi-inferencepool", {"spec": {"ref": {"tag": "v0"}}}, ".spec.ref.tag=v1.5.0", id="chart"),
        pytest.param(
            "httproute/phi",
            {"spec": {"rules": [{"timeouts": {"request": "1s"}}]}},
            ".spec.rules[0].timeouts.request=300s",
            id="route",
        ),
        pytest.param(
            "deployment/phi",
            {"metadata": {"labels": {"workspace-ctrl/workspace": None}}},
            ".metadata.labels.workspace-ctrl/workspace=phi",
            id="the label by which we watch",
        ),
    ],
)
def test_a_changed_object_is_brought_back(installed, plane_namespace, ready, target, change, field):
    patch(installed, plane_namespace, target, change, "strategic" if target.startswith("deployment") else "merge")
    wait_for(installed, plane_namespace, target, field)
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")


def test_changes_made_while_the_controller_was_away_are_brought_back(installed, plane_namespace, gateway):
    document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    patch(installed, plane_namespace, "ocirepository/phi-inferencepool", {"spec": {"interval": "1h"}})
    with ControllerProcess(installed) as controller:
        wait_for(installed, plane_namespace, "ocirepository/phi-inferencepool", ".spec.interval=10m")
        assert controller.writes(plane_namespace)["patch", "ocirepositories"] == 1


def test_replicas_sidecars_and_labels_of_others_are_left_to_them(installed, plane_namespace, ready):
    namespace = plane_namespace
    before = ready.writes(namespace)
    installed.kubectl("scale", "deployment/phi", "-n", namespace, "--replicas=2", actor="user")
    injected = {"spec": {"template": {"spec": {"containers": [SIDECAR]}}}}
    patch(installed, namespace, "deployment/phi", injected, "strategic")
    patch(installed, namespace, "service/phi", {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    wait_for(installed, namespace, "deployment/phi", ".status.readyReplicas=2")
    # A change of ours afterwards keeps theirs, and shows that all events before it were looked at.
    patch(installed, namespace, "service/phi", {"spec": {"selector": {"kaito.sh/workspace": "other"}}})
    wait_for(installed, namespace, "service/phi", SELECTOR)
    deployment = workspaces.get(installed, namespace, "deployment", "phi")
    assert deployment["spec"]["replicas"] == 2
    assert {entry["name"] for entry in deployment["spec"]["template"]["spec"]["containers"]} == {"vllm", "injected"}
    assert workspaces.get(installed, namespace, "service", "phi")["metadata"]["labels"]["team"] == "a"
    made = Counter(ready.writes(namespace)) - Counter(before)
    made.pop(("patch", "workspaces/status"), None)
    assert made == {("patch", "services"): 1, ("patch", "poddisruptionbudgets"): 1}  # two replicas have a budget


def test_somebody_who_insists_is_not_fought_at_full_speed(installed, plane_namespace, ready):
    before = ready.writes(plane_namespace)["patch", "services"]
    for number in range(20):
        patch(installed, plane_namespace, "service/phi", {"spec": {"selector": {"kaito.sh/workspace": f"other-{number}"}}})
    # The longer the changes take, the longer is the pause of the controller after its latest repair; it is doubled each time.
    wait_for(installed, plane_namespace, "service/phi", SELECTOR)
    assert ready.writes(plane_namespace)["patch", "services"] - before < 10


def test_a_deleted_workload_comes_back(installed, plane_namespace, ready):
    before = workspaces.get(installed, plane_namespace, "deployment", "phi")["metadata"]["uid"]
    installed.kubectl("delete", "deployment", "phi", "-n", plane_namespace, actor="user")
    installed.kubectl("wait", "deployment/phi", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    assert workspaces.get(installed, plane_namespace, "deployment", "phi")["metadata"]["uid"] != before


def test_a_shorter_context_takes_a_node_less(installed, plane_namespace):
    """The wanted context decides the number of nodes."""
    namespace = plane_namespace

    def config(length: int) -> dict[str, object]:
        data = {"inference_config.yaml": f"vllm: {{max-model-len: {length}}}"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": data}

    resource = {"instanceType": "Standard_NC6s_v3", "labelSelector": {"matchLabels": {"nobody": "has-it"}}}
    preset = {"name": "llama-3.1-8b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}
    document = workspaces.workspace("llama", resource=resource, inference={"preset": preset, "config": "flags"})
    with ControllerProcess(installed, gate=False):
        workspaces.apply(installed, namespace, config(100_000), document)
        found = workspaces.wait_reason(installed, namespace, "llama", "WorkloadAccepted", "Accepted")
        assert "StatefulSet" in found["message"]
        nodes = workspaces.get(installed, namespace, "statefulset", "llama")["spec"]["replicas"]
        workspaces.apply(installed, namespace, config(1024))
        installed.kubectl(
            "wait", "statefulset/llama", "-n", namespace, f"--for=jsonpath={{.spec.replicas}}={nodes - 1}", KUBECTL_TIMEOUT
        )


def test_an_unchanged_workspace_costs_no_dry_run(installed, plane_namespace, ready):
    first = ready.writes(plane_namespace)
    assert first["patch", "deployments/dry-run"] == 1
    patch(installed, plane_namespace, "workspace/phi", {"metadata": {"labels": {"team": "a"}}})
    patch(installed, plane_namespace, "workspace/phi", {"gateway": {"enabled": False}})
    workspaces.wait_gone(installed, plane_namespace, "helmrelease", "phi-inferencepool")
    assert ready.writes(plane_namespace)["patch", "deployments/dry-run"] == 1


def test_a_deployment_that_is_deleted_comes_back_with_the_replicas_that_were_chosen(installed, plane_namespace, ready):
    namespace = plane_namespace
    installed.kubectl("scale", "deployment/phi", "-n", namespace, "--replicas=3", actor="user")
    path = "jsonpath={.status.workload.replicas}=3"
    installed.kubectl("wait", "workspace/phi", "-n", namespace, f"--for={path}", KUBECTL_TIMEOUT)
    before = workspaces.get(installed, namespace, "deployment", "phi")["metadata"]["uid"]
    installed.kubectl("delete", "deployment/phi", "-n", namespace, "--wait=true", actor="user")
    path = "jsonpath={.spec.replicas}=3"
    installed.kubectl("wait", "--for=create", "deployment/phi", "-n", namespace, KUBECTL_TIMEOUT)
    installed.kubectl("wait", "deployment/phi", "-n", namespace, f"--for={path}", KUBECTL_TIMEOUT)
    found = workspaces.get(installed, namespace, "deployment", "phi")
    assert found["metadata"]["uid"] != before
    installed.kubectl("scale", "deployment/phi", "-n", namespace, "--replicas=2", actor="user")  # they are still somebody else's
    workspaces.apply(installed, namespace, {**workspaces.workspace("phi"), "metadata": {"name": "phi", "labels": {"team": "a"}}})
    path = "jsonpath={.status.workload.replicas}=2"
    installed.kubectl("wait", "workspace/phi", "-n", namespace, f"--for={path}", KUBECTL_TIMEOUT)
    assert workspaces.get(installed, namespace, "deployment", "phi")["spec"]["replicas"] == 2
