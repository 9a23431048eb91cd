"""InferenceSets from apply to gone: scaled by kubectl, by an autoscaler and by hand; calls are counted."""

import json
import time
from collections import Counter
from itertools import takewhile

import pytest

from e2e import workspaces
from e2e.controller import PROGRESS_SECONDS, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.plane.test_lifecycle import CALL_BUDGET, EVERY_KIND
from workspace_ctrl.api.labels import COPY_LABEL

KIND = "inferenceset"
NAME = "phi"
LARGE = {"preset": {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}}
LARGE_NODES = 3
"""Nodes of LARGE on the instance type of the tests."""


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


@pytest.fixture
def seen(installed, plane_namespace):
    """Look at the set."""

    class Seen:
        def status(self):
            return workspaces.get(installed, plane_namespace, KIND, NAME).get("status", {})

        def wait_ready(self, ready):
            """Wait until that is in the column READY."""
            path = f"--for=jsonpath={{.status.ready}}={ready}"
            installed.kubectl("wait", f"{KIND}/{NAME}", "-n", plane_namespace, path, KUBECTL_TIMEOUT)

        def wait_served(self):
            workspaces.wait_reason(installed, plane_namespace, NAME, "Ready", "Ready", kind=KIND)

        def wait_endpoints(self, words):
            """Wait until the message on the pool's pods begins so: that is progress, which is written some seconds later."""
            until(lambda: self.condition("EndpointsReady")["message"].startswith(words), f"{words} of the pool to be ready")

        def condition(self, type_):
            return workspaces.condition(installed, plane_namespace, NAME, type_, kind=KIND)

        def replicas(self):
            return workspaces.get(installed, plane_namespace, KIND, NAME)["spec"].get("replicas")

        def stateful_sets(self):
            found = workspaces.items(installed, plane_namespace, "statefulset", f"workspace-ctrl/workspace={NAME}")
            return {each["metadata"]["name"]: each["spec"]["replicas"] for each in found}

    return Seen()


def scale(cluster, namespace, replicas):
    cluster.kubectl("scale", KIND, NAME, "-n", namespace, f"--replicas={replicas}", actor="user")


def as_an_autoscaler(cluster, namespace, replicas):
    """Update the scale subresource, as the HorizontalPodAutoscaler of Kubernetes does it."""
    path = f"/apis/kaito.sh/v1beta1/namespaces/{namespace}/inferencesets/{NAME}/scale"

    def is_replaced():
        """Say whether nobody has written the set between the two calls, as autoscalers do, who try again."""
        document = json.loads(cluster.kubectl("get", "--raw", path))
        assert document["status"]["selector"] == f"kaito.sh/workspace={NAME}"
        document["spec"]["replicas"] = replicas
        result = cluster.kubectl_result("replace", "--raw", path, "-f", "-", input=json.dumps(document))
        assert not result.returncode or "Operation cannot be fulfilled" in result.stderr, result.stderr
        return not result.returncode

    until(is_replaced, "the scale to be replaced")


def by_hand(cluster, namespace, replicas):
    patch = json.dumps({"spec": {"replicas": replicas}})
    cluster.kubectl("patch", KIND, NAME, "-n", namespace, "--type=merge", "-p", patch, actor="user")


def test_ready_within_the_call_budget_scaled_and_a_restart_writes_nothing(installed, plane_namespace, behind, seen):
    with ControllerProcess(installed) as controller:
        began = time.monotonic()
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway=behind))
        seen.wait_ready("1/1")
        seen.wait_served()
        writes, seconds = controller.writes(plane_namespace), time.monotonic() - began
        told = writes.pop(("patch", "inferencesets/status"))
        assert sum(writes.values()) == CALL_BUDGET - 2
        assert told <= 3 + seconds / PROGRESS_SECONDS

        for change, replicas in ((scale, 3), (as_an_autoscaler, 0), (by_hand, 2)):
            before, began = controller.writes(plane_namespace), time.monotonic()
            change(installed, plane_namespace, replicas)
            seen.wait_ready(f"{replicas}/{replicas}")
            if replicas:
                seen.wait_served()
            else:
                workspaces.wait_reason(installed, plane_namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
            made, seconds = controller.writes(plane_namespace) - before, time.monotonic() - began
            told = made.pop(("patch", "inferencesets/status"))
            assert 1 <= told <= 3 + seconds / PROGRESS_SECONDS
            budget = "delete" if replicas == 0 else "patch"  # one between one copy and several
            assert made == {
                ("patch", "deployments/dry-run"): 1,
                ("patch", "deployments"): 1,
                (budget, "poddisruptionbudgets"): 1,
            }
            assert seen.replicas() == replicas
            assert seen.status()["replicas"] == seen.status()["readyReplicas"] == replicas
        # The last thing that there is to be said, so that nothing is left for the next controller.
        seen.wait_endpoints("2 of 2 pods")
    with ControllerProcess(installed) as restarted:
        # One made now shows that the old one was looked at before it: keys are worked on in order.
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
        assert ("patch", "inferencesets/status") not in restarted.writes(plane_namespace)
        assert restarted.writes(plane_namespace)["patch", "deployments"] == 1


def test_at_zero_every_condition_says_how_to_get_a_pod(installed, plane_namespace, behind, seen):
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway=behind, replicas=0))
        workspaces.wait_reason(installed, plane_namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
        seen.wait_ready("0/0")
        for type_ in ("Ready", "ResourceReady", "InferenceReady", "EndpointsReady", "GatewayReady"):
            found = seen.condition(type_)
            assert (found["status"], found["reason"]) == ("False", "ScaledToZero"), type_
            assert f"kubectl scale inferenceset {NAME} -n {plane_namespace} --replicas=1" in found["message"]
        # That there are no pods may be said before the chart is installed.
        until(lambda: seen.condition("Reconciling") == {}, "nothing to be in progress")
        assert workspaces.get(installed, plane_namespace, "deployment", NAME)["spec"]["replicas"] == 0
        workspaces.wait_ready(installed, plane_namespace, NAME, "RouteReady", kind=KIND)


def test_the_replicas_of_the_deployment_are_those_of_the_set(installed, plane_namespace, behind, seen):
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway=behind, replicas=2))
        seen.wait_ready("2/2")
        installed.kubectl("scale", "deployment", NAME, "-n", plane_namespace, "--replicas=5", actor="user")
        until(
            lambda: workspaces.get(installed, plane_namespace, "deployment", NAME)["spec"]["replicas"] == 2,
            "the Deployment to get the replicas of the set again",
        )
        assert seen.replicas() == 2


def test_a_model_that_serves_stays_ready_while_it_is_scaled(installed, plane_namespace, behind, seen):
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway=behind))
        seen.wait_served()
        # What follows the slash is there from the deletion on.
        template = '{.status.conditions[?(@.type=="Ready")].status}/{.metadata.deletionTimestamp}'
        with workspaces.followed(installed, plane_namespace, "inferencesets", template) as told:
            scale(installed, plane_namespace, 4)
            seen.wait_ready("4/4")
            scale(installed, plane_namespace, 1)
            seen.wait_ready("1/1")
            installed.kubectl("delete", KIND, NAME, "-n", plane_namespace, "--wait=false", actor="user")
            until_deleted = list(takewhile(lambda line: line.endswith("/"), told))
        assert set(until_deleted) == {"True/"}
        assert len(until_deleted) >= 3


def test_copies_on_several_nodes_are_made_and_go_by_their_numbers(installed, plane_namespace, behind, seen):
    document = workspaces.inference_set(NAME, gateway=behind, replicas=2)
    document["spec"]["template"]["inference"] = LARGE
    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, document)
        seen.wait_ready("2/2")
        seen.wait_served()
        assert seen.stateful_sets() == {f"{NAME}-0": LARGE_NODES, f"{NAME}-1": LARGE_NODES}
        pods = workspaces.items(installed, plane_namespace, "pod", f"kaito.sh/workspace={NAME}")
        assert Counter(pod["metadata"]["labels"][COPY_LABEL] for pod in pods) == {"0": LARGE_NODES, "1": LARGE_NODES}
        pool = workspaces.get(installed, plane_namespace, "inferencepool", f"{NAME}-inferencepool")
        leaders = {"kaito.sh/workspace": NAME, "apps.kubernetes.io/pod-index": "0"}
        assert pool["spec"]["selector"]["matchLabels"] == leaders
        seen.wait_endpoints("2 of 2 pods")
        assert seen.status()["targetNodeCount"] == 2 * LARGE_NODES

        before = controller.writes(plane_namespace)
        scale(installed, plane_namespace, 3)
        seen.wait_ready("3/3")
        made = controller.writes(plane_namespace) - before
        assert made["patch", "statefulsets"] == 1
        assert ("patch", "statefulsets/dry-run") not in made
        scale(installed, plane_namespace, 1)
        seen.wait_ready("1/1")
        until(lambda: seen.stateful_sets() == {f"{NAME}-0": LARGE_NODES}, "the other copies to go")
        scale(installed, plane_namespace, 0)
        workspaces.wait_reason(installed, plane_namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
        assert seen.stateful_sets() == {f"{NAME}-0": 0}


def test_a_change_of_the_template_reaches_every_copy_on_several_nodes(installed, plane_namespace, behind, seen):
    document = workspaces.inference_set(NAME, gateway=behind, replicas=2)
    document["spec"]["template"]["inference"] = LARGE
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        seen.wait_ready("2/2")
        seen.wait_served()
        options = {"presetOptions": {"modelAccessSecret": "other"}}
        patch = json.dumps({"spec": {"template": {"inference": {"preset": options}}}})
        installed.kubectl("patch", KIND, NAME, "-n", plane_namespace, "--type=merge", "-p", patch, actor="user")

        def secrets():
            found = workspaces.items(installed, plane_namespace, "statefulset", f"workspace-ctrl/workspace={NAME}")
            return {
                entry["valueFrom"]["secretKeyRef"]["name"]
                for each in found
                for entry in each["spec"]["template"]["spec"]["containers"][0]["env"]
                if entry["name"] == "HF_TOKEN"
            }

        until(lambda: secrets() == {"other"}, "both copies to be changed")
        seen.wait_served()


def test_everything_is_removed_with_the_set_and_without_the_gate_only_the_gateway_side(installed, plane_namespace, behind, seen):
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway=behind))
        seen.wait_served()
        until(
            lambda: workspaces.items(installed, plane_namespace, "events.events.k8s.io") != [], "an event, which follows the status"
        )
    with ControllerProcess(installed, gate=False):
        for kind in ("httproute", "helmrelease", "ocirepository"):
            until(lambda kind=kind: workspaces.items(installed, plane_namespace, kind) == [], f"{kind} to go")
        until(lambda: "finalizers" not in workspaces.get(installed, plane_namespace, KIND, NAME)["metadata"], "the finalizer to go")
        assert workspaces.items(installed, plane_namespace, "deployment", f"workspace-ctrl/workspace={NAME}") != []
    with ControllerProcess(installed):
        seen.wait_served()
        installed.kubectl("delete", KIND, NAME, "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        owned = f"workspace-ctrl/workspace={NAME}"
        until(lambda: workspaces.items(installed, plane_namespace, EVERY_KIND, owned) == [], "all objects to go")
        assert workspaces.items(installed, plane_namespace, "secret", "owner=helm") == []


@pytest.mark.parametrize("first", ["workspace", KIND])
def test_of_two_kinds_with_one_name_the_older_has_the_objects(installed, plane_namespace, behind, first):
    both = {
        "workspace": workspaces.workspace(NAME, gateway=behind),
        KIND: workspaces.inference_set(NAME, gateway=behind),
    }
    (second,) = set(both) - {first}

    def owners():
        found = workspaces.items(installed, plane_namespace, EVERY_KIND, f"workspace-ctrl/workspace={NAME}")
        references = (owner for each in found for owner in each["metadata"].get("ownerReferences", ()))
        return {owner["kind"].lower() for owner in references if owner["apiVersion"].startswith("kaito.sh/")}

    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, both[first])
        workspaces.wait_reason(installed, plane_namespace, NAME, "Ready", "Ready", kind=first)
        workspaces.apply(installed, plane_namespace, both[second])
        found = workspaces.wait_reason(installed, plane_namespace, NAME, "Ready", "NameTaken", kind=second)
        assert f"{both[first]['kind']} {plane_namespace}/{NAME} has the same name, is older" in found["message"]
        assert owners() == {first}
        assert workspaces.condition(installed, plane_namespace, NAME, "Ready", kind=first)["status"] == "True"
        before, began = controller.writes(plane_namespace), time.monotonic()
        installed.kubectl("annotate", first, NAME, "-n", plane_namespace, "example.com/seen=1", actor="user")
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
        told = (controller.writes(plane_namespace) - before)["patch", f"{second}s/status"]
        seconds = time.monotonic() - began
        assert told <= (3 + seconds / PROGRESS_SECONDS if second == "workspace" else 0)  # of the later one
        installed.kubectl("delete", first, NAME, "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        workspaces.wait_reason(installed, plane_namespace, NAME, "Ready", "Ready", kind=second)
        until(lambda: owners() == {second}, "the objects of the older one to go")
