"""The model server's conditions: scheduled, and ready."""

import pytest

from tests.unit.factories import NAME, condition, deployment, pod
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.workload import (
    inference_condition,
    referenced_workload,
    resource_condition,
    with_wanted_nodes,
    workload_link,
)
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.pods import PodProblem
from workspace_ctrl.records.workloads import ReferencedWorkload, Workload

ACCEPTED = Link.true(LinkName.WORKLOAD, "Accepted", "accepted")
EXPECTED = f"Deployment default/{NAME}"
CRASH = PodProblem("ContainerCrashLoopBackOff", "container vllm exited with code 1")
UNSCHEDULABLE = PodProblem("Unschedulable", "0/1 nodes are available")


def stateful_set(*, ready, replicas=2):
    meta = Meta(ObjectRef("StatefulSet", "default", NAME), generation=1)
    return Workload(meta, observed_generation=1, replicas=replicas, updated_replicas=replicas, ready_replicas=ready)


@pytest.mark.parametrize(
    ("pods", "status", "reason", "message"),
    [
        pytest.param([], Status.FALSE, "WaitingForNodes", "no pod is scheduled yet", id="no pod"),
        pytest.param([pod(node="")], Status.FALSE, "WaitingForNodes", "no pod is scheduled yet", id="one without a node"),
        pytest.param(
            [pod(), pod(name="pod-2", node="")],
            Status.FALSE,
            "WaitingForNodes",
            "no pod is scheduled yet",
            id="one of two has a node",
        ),
        pytest.param(
            [pod(node="b"), pod(name="pod-2", node="a")],
            Status.TRUE,
            "workspaceResourceStatusSuccess",
            "scheduled to a, b",
            id="all",
        ),
        pytest.param(
            [pod(), pod(name="x", node="", has_ended=True)], Status.TRUE, "workspaceResourceStatusSuccess", "", id="ended"
        ),
        pytest.param([pod(has_ended=True)], Status.FALSE, "WaitingForNodes", "", id="only one that has ended"),
        pytest.param(
            [pod(node="", problem=UNSCHEDULABLE)],
            Status.FALSE,
            "Unschedulable",
            "Pod default/pod-1: 0/1 nodes are available",
            id="the scheduler says why",
        ),
        pytest.param(
            [pod(node="", problem=CRASH)], Status.FALSE, "WaitingForNodes", "", id="another problem is not the scheduler's"
        ),
    ],
)
def test_resource_condition(pods, status, reason, message):
    found = resource_condition(pods)
    assert (found.type, found.status, found.reason) == ("ResourceReady", status, reason)
    assert message in found.message


def test_the_labels_that_nodes_need_are_said_where_the_scheduler_finds_no_node_with_them():
    said = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    wanted = pod(node="", problem=PodProblem("Unschedulable", said))
    others = [
        pod(),
        pod(node="", problem=UNSCHEDULABLE),
        pod(node="", problem=PodProblem("Unschedulable", "3 node(s) didn't match pod anti-affinity rules")),
        pod(node="", problem=PodProblem("Unschedulable", "3 node(s) had volume node affinity conflict.")),
        pod(node="", problem=PodProblem("Unschedulable", "3 node(s) didn't match PersistentVolume's node affinity.")),
        pod(problem=PodProblem("ContainerFailed", "no node affinity")),
    ]
    explained = with_wanted_nodes([wanted, *others], "apps=phi-4-mini, zone in (a,b)")
    assert explained[1:] == others
    assert resource_condition(explained).message == f"Pod default/pod-1: nodes need apps=phi-4-mini, zone in (a,b); {said}"
    assert inference_condition(ACCEPTED, deployment(ready=0), explained[:1], "").message.startswith(
        "Pod default/pod-1: nodes need apps=phi-4-mini"
    )
    assert with_wanted_nodes([wanted], "") == [wanted]


@pytest.mark.parametrize(
    ("pods", "status", "reason", "message"),
    [
        pytest.param([], Status.FALSE, "NoPods", "0 of 0 pods ready", id="none"),
        pytest.param([pod()], Status.TRUE, "WorkspaceInferenceStatusSuccess", "1 of 1 pods ready", id="all"),
        pytest.param(
            [pod(), pod(name="pod-2", ready=False)], Status.FALSE, "ModelServerStarting", "1 of 2 pods ready", id="one of two"
        ),
        pytest.param(
            [pod(), pod(name="pod-2", ready=False, has_ended=True)],
            Status.TRUE,
            "WorkspaceInferenceStatusSuccess",
            "1 of 1 pods ready",
            id="what has ended does not count",
        ),
        pytest.param(
            [pod(ready=False, has_ended=True)], Status.FALSE, "ModelServerStarting", "0 of 1 pods ready", id="all have ended"
        ),
        pytest.param(
            [pod(ready=False, problem=CRASH)], Status.FALSE, "ContainerCrashLoopBackOff", "exited with code 1", id="crash"
        ),
    ],
)
def test_pods_of_another_object_are_all_ready(pods, status, reason, message):
    found = inference_condition(ACCEPTED, None, pods, "")
    assert (found.type, found.status, found.reason) == ("InferenceReady", status, reason)
    assert message in found.message


@pytest.mark.parametrize(
    ("workload", "pods", "status", "reason", "message"),
    [
        pytest.param(None, [], Status.FALSE, "WorkloadNotCreated", f"{EXPECTED} has not been created yet", id="not created"),
        pytest.param(deployment(), [], Status.TRUE, "WorkspaceInferenceStatusSuccess", "1 of 1 replicas ready", id="ready"),
        pytest.param(deployment(ready=0), [], Status.FALSE, "ModelServerStarting", "0 of 1 replicas ready", id="starting"),
        pytest.param(deployment(ready=0, replicas=0), [], Status.FALSE, "ScaledToZero", "is scaled to 0", id="scaled to 0"),
        pytest.param(
            deployment(ready=0), [pod(ready=False, problem=CRASH)], Status.FALSE, "ContainerCrashLoopBackOff", "code 1", id="crash"
        ),
        pytest.param(
            deployment(ready=1, replicas=2, updated=2),
            [pod(ready=False, problem=CRASH)],
            Status.TRUE,
            "WorkspaceInferenceStatusSuccess",
            "1 of 2 replicas ready; ContainerCrashLoopBackOff",
            id="a Deployment serves with one replica, and says what the others lack",
        ),
        pytest.param(
            stateful_set(ready=1), [], Status.FALSE, "ModelServerStarting", "1 of 2 replicas ready", id="parts of one model do not"
        ),
        pytest.param(
            stateful_set(ready=2), [], Status.TRUE, "WorkspaceInferenceStatusSuccess", "2 of 2 replicas ready", id="all parts"
        ),
        pytest.param(
            deployment(ready=0, conditions=(condition("ReplicaFailure", reason="FailedCreate", message="exceeded quota"),)),
            [],
            Status.FALSE,
            "FailedCreate",
            f"{EXPECTED}: exceeded quota",
            id="no pod may be created",
        ),
        pytest.param(
            deployment(ready=0, conditions=(condition("ReplicaFailure", status="False", reason="FailedCreate"),)),
            [],
            Status.FALSE,
            "ModelServerStarting",
            "",
            id="pods may be created again",
        ),
    ],
)
def test_our_workload_is_ready(workload, pods, status, reason, message):
    found = inference_condition(ACCEPTED, workload, pods, EXPECTED)
    assert (found.status, found.reason) == (status, reason)
    assert message in found.message


def test_a_workload_that_is_not_accepted_is_not_ready_whatever_its_pods_are():
    waiting = workload_link("", None, "")
    found = inference_condition(waiting, deployment(), [pod()], EXPECTED)
    assert (found.status, found.reason, found.message) == (Status.FALSE, waiting.reason, waiting.message)


@pytest.mark.parametrize(
    ("kind", "counts"), [("Deployment", True), ("StatefulSet", True), ("LeaderWorkerSet", False), ("DaemonSet", False)]
)
def test_some_kinds_count_their_replicas_for_others_the_pods_decide(kind, counts):
    workload = deployment()
    referenced = ReferencedWorkload(workload)
    assert referenced_workload(kind, referenced) == (workload if counts else None)
    assert referenced_workload(kind, None) is None


def test_who_serves_a_referenced_model_is_named():
    assert (
        "Deployment default/own, not managed" in workload_link("Deployment", ObjectRef("Deployment", "default", "own"), "").message
    )
    assert "the pods of workloadRef.selector" in workload_link("Pods", ObjectRef("", "default", ""), "").message
