"""Pods of others behind kinds that nobody has told us of: found through the API server alone."""

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess

GROUP = "serving.example.com"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}


def custom_resource_definition(scope="Namespaced", **subresources):
    """A kind of somebody else that makes pods."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"modelservings.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"kind": "ModelServing", "plural": "modelservings"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING}}},
                    "subresources": {"status": {}, **subresources},
                }
            ],
        },
    }


@pytest.fixture
def kind(installed):
    """Installs the kind; gone afterwards."""

    def install(**fields):
        workspaces.apply(installed, "default", custom_resource_definition(**fields))
        workspaces.wait_served(installed, f"modelservings.{GROUP}")

    yield install
    installed.kubectl("delete", "crd", f"modelservings.{GROUP}", "--ignore-not-found")


def model_serving(**spec):
    return {"apiVersion": f"{GROUP}/v1", "kind": "ModelServing", "metadata": {"name": "theirs"}, "spec": spec}


def pod(name, labels):
    container = {"name": "server", "image": "example/server:1", "ports": [{"containerPort": 8000}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container]},
    }


def reference(**fields):
    return {"workloadRef": {"apiVersion": f"{GROUP}/v1", "kind": "ModelServing", "name": "theirs", **fields}}


def pool_of(cluster, namespace):
    spec = workspaces.get(cluster, namespace, "inferencepool", "mine-inferencepool")["spec"]
    return spec["selector"]["matchLabels"], spec["targetPorts"][0]["number"]


def test_a_kind_with_a_pod_template(installed, plane_namespace, gateway, kind):
    kind()
    template = {
        "metadata": {"labels": {"role": "leader"}},
        "spec": {"containers": [{"name": "s", "ports": [{"containerPort": 8000}]}]},
    }
    serving = model_serving(selector={"matchLabels": {"role": "leader"}}, template=template)
    document = workspaces.workspace(
        "mine", resource=None, inference=reference(), gateway=workspaces.behind(gateway, plane_namespace)
    )
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, serving, pod("leader-0", {"role": "leader"}), document)
        workspaces.wait_ready(installed, plane_namespace, "mine", "Ready")
        assert pool_of(installed, plane_namespace) == ({"role": "leader"}, 8000)
        status = workspaces.get(installed, plane_namespace, "workspace", "mine")["status"]
        assert status["workload"] == {"kind": "ModelServing", "name": "theirs"}
        installed.kubectl("delete", "pod", "leader-0", "-n", plane_namespace, actor="user")
        workspaces.wait_reason(installed, plane_namespace, "mine", "InferenceReady", "NoPods")


def test_a_kind_with_a_scale_subresource(installed, plane_namespace, gateway, kind):
    kind(scale=SCALE)
    document = workspaces.workspace(
        "mine", resource=None, inference=reference(targetPort=9000), gateway=workspaces.behind(gateway, plane_namespace)
    )
    workspaces.apply(installed, plane_namespace, model_serving(replicas=1), pod("worker-0", {"group": "g", "index": "0"}))
    installed.kubectl(
        "patch", "modelserving", "theirs", "-n", plane_namespace, "--subresource=status", "--type=merge",
        "-p", '{"status":{"selector":"group=g,index=0","replicas":1}}',
    )  # fmt: skip
    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "mine", "Ready")
        assert pool_of(installed, plane_namespace) == ({"group": "g", "index": "0"}, 9000)
        assert controller.calls(plane_namespace)["get", "modelservings/scale"] == 1


def test_a_kind_that_appears_later_is_picked_up(installed, plane_namespace, gateway, kind):
    document = workspaces.workspace(
        "mine",
        resource=None,
        inference=reference(targetPort=8000, selector={"role": "leader"}),
        gateway=workspaces.behind(gateway, plane_namespace),
    )
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, pod("leader-0", {"role": "leader"}), document)
        found = workspaces.wait_reason(installed, plane_namespace, "mine", "WorkloadAccepted", "WorkloadNotReadable")
        assert "serving.example.com" in found["message"]
        kind()
        workspaces.wait_reason(installed, plane_namespace, "mine", "WorkloadAccepted", "WorkloadNotFound")
        workspaces.apply(installed, plane_namespace, model_serving())
        workspaces.wait_ready(installed, plane_namespace, "mine", "Ready")


def test_a_kind_without_namespaces_is_not_read(installed, plane_namespace, kind):
    kind(scope="Cluster")
    document = workspaces.workspace("mine", resource=None, inference=reference(targetPort=8000))
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_reason(installed, plane_namespace, "mine", "WorkloadAccepted", "WorkloadNotReadable")
        assert found["message"].endswith("is cluster-scoped; reference an object of the namespace")


def test_a_restart_with_pods_of_others_writes_nothing(installed, plane_namespace, gateway):
    labels = {"role": "leader"}
    document = workspaces.workspace(
        "mine",
        resource=None,
        inference={"workloadRef": {"selector": labels, "targetPort": 8000}},
        gateway=workspaces.behind(gateway, plane_namespace),
    )
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, pod("leader-0", labels), document)
        workspaces.wait_ready(installed, plane_namespace, "mine", "Ready")
        # The last thing that there is to be said, so that nothing is left for the next controller.
        workspaces.wait_message(installed, plane_namespace, "mine", "EndpointsReady", "1 of 1 pods")
    before = workspaces.get(installed, plane_namespace, "workspace", "mine")["metadata"]["resourceVersion"]
    with ControllerProcess(installed) as restarted:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
        writes = restarted.writes(plane_namespace)
        # Had its pods looked absent for a moment, the first one's status would have changed.
        assert workspaces.get(installed, plane_namespace, "workspace", "mine")["metadata"]["resourceVersion"] == before
    assert writes.pop(("patch", "workspaces/status")) >= 1
    assert writes == {("patch", "deployments/dry-run"): 1, ("patch", "deployments"): 1, ("patch", "services"): 1}
