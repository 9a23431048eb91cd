"""What a preset's options become on the API server."""

import itertools
import json

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

MODEL = {"name": "phi-4-mini-instruct"}


def test_adapters_are_accepted_as_volumes(installed, plane_namespace):
    sources = [
        {"name": "sql", "image": "registry.example/sql:1"},
        {"name": "chat", "volumeSource": {"configMap": {"name": "chat"}}},
    ]
    inference = {"preset": MODEL, "adapters": [{"source": source} for source in sources]}
    with ControllerProcess(installed, gate=False):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", inference=inference))
        workspaces.wait_reason(installed, plane_namespace, "phi", "WorkloadAccepted", "Accepted")
        spec = workspaces.get(installed, plane_namespace, "deployment", "phi")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["adapter-0"]["image"]["reference"] == "registry.example/sql:1"
    assert volumes["adapter-1"]["configMap"]["name"] == "chat"


def test_a_claim_for_the_weights_is_made_once_and_goes_with_the_workspace(installed, plane_namespace):
    inference = {"preset": MODEL, "weightsVolume": {"size": "10Gi"}}
    with ControllerProcess(installed, gate=False) as controller:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", inference=inference))
        workspaces.wait_reason(installed, plane_namespace, "phi", "WorkloadAccepted", "Accepted")
        installed.kubectl("wait", "pvc/phi-weights", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        claim = workspaces.get(installed, plane_namespace, "pvc", "phi-weights")
        assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
        assert claim["metadata"]["ownerReferences"][0]["kind"] == "Workspace"
        assert controller.writes(plane_namespace)["patch", "persistentvolumeclaims"] == 1


def test_own_nodes_are_sized_by_their_labels(installed, plane_namespace):
    """A node's labels decide when the workload is made; later ones do not change it."""
    (node,) = (item["metadata"]["name"] for item in json.loads(installed.kubectl("get", "nodes", "-o", "json"))["items"])
    resource = {"labelSelector": {"matchLabels": {"own": "gpu"}}}
    labels = {"own": "gpu", "nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.memory": "46068", "nvidia.com/gpu.count": "1"}

    def label(**changes: str | None) -> None:
        document = {"metadata": {"labels": {**dict.fromkeys(labels), **changes}}}
        installed.kubectl("patch", "node", node, "--type=merge", "-p", json.dumps(document))

    label(**labels)
    names = (f"later-{number}" for number in itertools.count())

    def is_sized_anew():
        # The controller may hear of a Workspace before it hears of the labels; what has been sized stays so.
        name = next(names)
        workspaces.apply(installed, plane_namespace, workspaces.workspace(name, resource=resource))
        workspaces.wait_ready(installed, plane_namespace, name, "Ready")
        return workspaces.command_of(installed, plane_namespace, "deployment", name) != command

    try:
        with ControllerProcess(installed, gate=False):
            workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", resource=resource))
            workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
            status = workspaces.get(installed, plane_namespace, "workspace", "phi")["status"]
            assert "NVIDIA-L40S" in status["workload"]["sizing"]
            command = workspaces.command_of(installed, plane_namespace, "deployment", "phi")
            label(**{**labels, "nvidia.com/gpu.memory": "24000"})
            until(is_sized_anew, "a Workspace that is sized by the new labels")
            assert workspaces.command_of(installed, plane_namespace, "deployment", "phi") == command
    finally:
        label()


def test_models_on_several_nodes_have_a_network_policy_and_others_take_no_call_for_it(installed, plane_namespace):
    large, small = ({"preset": {"name": "example/model", "size": {"weights": weights}}} for weights in ("140Gi", "7Gi"))
    with ControllerProcess(installed, gate=False) as controller:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("one", inference=small))
        workspaces.wait_ready(installed, plane_namespace, "one", "WorkloadAccepted")
        assert not any(target.startswith("networkpolicies") for _, target in controller.calls(plane_namespace))
        workspaces.apply(installed, plane_namespace, workspaces.workspace("several", inference=large))
        installed.kubectl("wait", "networkpolicy/several", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        policy = workspaces.get(installed, plane_namespace, "networkpolicy", "several")
        own = {"podSelector": {"matchLabels": {"kaito.sh/workspace": "several"}}}
        assert policy["spec"]["ingress"] == [{"from": [own]}, {"ports": [{"port": 5000, "protocol": "TCP"}]}]
        assert policy["metadata"]["ownerReferences"][0]["kind"] == "Workspace"
        assert controller.writes(plane_namespace)["patch", "networkpolicies"] == 1
        open_all = json.dumps({"spec": {"ingress": [{}]}})
        installed.kubectl("patch", "networkpolicy", "several", "-n", plane_namespace, "--type=merge", "-p", open_all, actor="user")
        until(lambda: workspaces.get(installed, plane_namespace, "networkpolicy", "several")["spec"] == policy["spec"], "a repair")
        workspaces.apply(installed, plane_namespace, workspaces.workspace("several", inference=small))
        workspaces.wait_gone(installed, plane_namespace, "networkpolicy", "several")


def quota(**hard):
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": hard}}


def test_a_quota_that_demands_requests_lets_a_preset_in(installed, plane_namespace):
    demanded = {"requests.cpu": "10", "requests.memory": "50Gi", "requests.ephemeral-storage": "50Gi"}
    workspaces.apply(installed, plane_namespace, quota(**demanded))
    with ControllerProcess(installed, gate=False):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    used = {"requests.cpu": "3", "requests.memory": "10Gi", "requests.ephemeral-storage": "10Gi"}

    def is_counted():
        return workspaces.get(installed, plane_namespace, "resourcequota", "team").get("status", {}).get("used") == used

    until(is_counted, f"a quota of which {used} is used")  # a controller of Kubernetes writes that, at its own time


def test_default_limits_of_a_namespace_are_said_and_limits_of_one_s_own_are_the_way_out(installed, plane_namespace):
    limits = {"type": "Container", "default": {"memory": "512Mi"}}
    workspaces.apply(
        installed,
        plane_namespace,
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "team"}, "spec": {"limits": [limits]}},
    )
    with ControllerProcess(installed, gate=False):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "InferenceReady", "FailedCreate")
        assert "must be less than or equal to memory limit of 512Mi" in found["message"]
        inference = {"preset": MODEL, "resources": {"limits": {"memory": "12Gi"}}}
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", inference=inference))
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
