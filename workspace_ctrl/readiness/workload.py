"""The model server: accepted by the API server, scheduled to nodes, and ready."""

from typing import Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.readiness.failure import DRY_RUN_PENDING, MODEL_SERVER_STARTING, NO_PODS, SCALED_TO_ZERO, WORKLOAD_NOT_CREATED
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workloads import Workload

_COUNTING_KINDS: Final = frozenset({"Deployment", "StatefulSet"})
"""Kinds whose status shows whether all replicas of the newest spec are ready; for other kinds, the pods decide."""


def workload_link(decisions: Decisions) -> Link:
    """Return whether the API server accepts the workload, and as which kind."""
    problem = decisions.problem(LinkName.SPEC, LinkName.WORKLOAD)
    if problem is not None:
        return Link.of_problem(problem)
    if not decisions.workload_kind:
        return Link.waiting(LinkName.WORKLOAD, DRY_RUN_PENDING, "waiting for the API server's dry-run of the workload")
    if decisions.reference is not None:
        pods = str(decisions.reference) if decisions.reference.name else "the pods of workloadRef.selector"
        return Link.true(LinkName.WORKLOAD, "Referenced", f"model is served by {pods}, not managed by workspace-ctrl")
    return Link.true(LinkName.WORKLOAD, "Accepted", f"accepted by the API server as {decisions.workload_kind}; {decisions.sizing}")


def resource_condition(snapshot: Snapshot) -> Condition:
    """Return ResourceReady: the pods of the model server are scheduled."""
    pods = snapshot.pods
    placed = [pod for pod in pods if pod.node]
    if pods and len(placed) == len(pods):
        nodes = ", ".join(sorted({pod.node for pod in placed}))
        return Condition(
            ConditionType.RESOURCE_READY, Status.TRUE, "workspaceResourceStatusSuccess", f"pods are scheduled to {nodes}"
        )
    for pod in pods:
        if pod.trouble is not None and pod.trouble.reason == "Unschedulable":
            text = f"{pod.meta.ref}: {pod.trouble.message}"
            return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "Unschedulable", text)
    return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "WaitingForNodes", "no pod is scheduled yet")


def inference_condition(snapshot: Snapshot, decisions: Decisions, accepted: Link) -> Condition:
    """Return InferenceReady: all replicas of the model server are ready; it becomes False again when one is not."""
    if not accepted.holds:
        return _inference(Status.FALSE, accepted.reason, accepted.message)
    workload = workload_of(snapshot, decisions)
    if workload is None:
        return (
            _by_pods(snapshot) if decisions.reference else _inference(Status.FALSE, WORKLOAD_NOT_CREATED, _not_created(decisions))
        )
    if workload.is_ready:
        text = f"{workload.ref} has {workload.ready_replicas} of {workload.replicas} replicas ready"
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", text)
    return _not_ready(snapshot, workload)


def workload_of(snapshot: Snapshot, decisions: Decisions) -> Workload | None:
    """Return the Deployment or StatefulSet of the pods, ours or the referenced one; None if another kind creates the pods."""
    if decisions.reference is None:
        return snapshot.workload(decisions.workload_kind)
    if snapshot.reference is None or decisions.workload_kind not in _COUNTING_KINDS:
        return None
    return snapshot.reference.workload


def _not_created(decisions: Decisions) -> str:
    name = f" {decisions.names.workload}" if decisions.names else ""
    return f"{decisions.workload_kind}{name} has not been created yet"


def _by_pods(snapshot: Snapshot) -> Condition:
    ready = sum(pod.ready for pod in snapshot.pods)
    counts = f"{ready} of {len(snapshot.pods)} pods ready"
    if snapshot.pods and ready == len(snapshot.pods):
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", counts)
    return _trouble(snapshot) or _inference(Status.FALSE, MODEL_SERVER_STARTING if snapshot.pods else NO_PODS, counts)


def _not_ready(snapshot: Snapshot, workload: Workload) -> Condition:
    troubled = _trouble(snapshot)
    if troubled is not None:
        return troubled
    if workload.replicas == 0:
        return _inference(Status.FALSE, SCALED_TO_ZERO, f"{workload.ref} is scaled to 0")
    failure = workload.condition("ReplicaFailure")
    if failure is not None and failure.is_true:
        return _inference(Status.FALSE, failure.reason, f"{workload.ref}: {failure.message}")
    counts = f"{workload.ref}: {workload.ready_replicas} of {workload.replicas} replicas ready"
    return _inference(Status.FALSE, MODEL_SERVER_STARTING, counts)


def _trouble(snapshot: Snapshot) -> Condition | None:
    """Return the problem of the first failing pod, with the message of kubelet or scheduler."""
    for pod in snapshot.pods:
        if pod.trouble is not None:
            return _inference(Status.FALSE, pod.trouble.reason, f"{pod.meta.ref}: {pod.trouble.message}")
    return None


def _inference(status: Status, reason: str, message: str) -> Condition:
    return Condition(ConditionType.INFERENCE_READY, status, reason, message)
