"""The model server: accepted, on a node, and ready."""

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workloads import Pod


def workload_link(decisions: Decisions) -> Link:
    """Return whether the API server accepts the workload, as which kind."""
    problem = decisions.problem(LinkName.SPEC, LinkName.WORKLOAD)
    if problem is not None:
        return Link.of_problem(problem)
    if not decisions.workload_kind:
        return Link.waiting(LinkName.WORKLOAD, "DryRunPending", "the API server has not been asked yet")
    return Link.true(LinkName.WORKLOAD, "Accepted", f"accepted by the API server as {decisions.workload_kind}; {decisions.sizing}")


def resource_condition(snapshot: Snapshot) -> Condition:
    """Return ResourceReady: the model server's pods have nodes."""
    pods = snapshot.pods
    placed = [pod for pod in pods if pod.node]
    if pods and len(placed) == len(pods):
        nodes = ", ".join(sorted({pod.node for pod in placed}))
        return Condition(ConditionType.RESOURCE_READY, Status.TRUE, "workspaceResourceStatusSuccess", f"pods run on {nodes}")
    stuck = next((pod for pod in pods if pod.unschedulable), None)
    if stuck is not None:
        text = f"{stuck.meta.ref}: {stuck.unschedulable}"
        return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "Unschedulable", text)
    return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "WaitingForNodes", "no pod has a node yet")


def inference_condition(snapshot: Snapshot, accepted: Link) -> Condition:
    """Return InferenceReady: all replicas of the model server are ready; it falls when they are not any more."""
    if not accepted.holds:
        return Condition(ConditionType.INFERENCE_READY, Status.FALSE, accepted.reason, accepted.message)
    workload = snapshot.workload
    if workload is None:
        return Condition(ConditionType.INFERENCE_READY, Status.FALSE, "WorkloadNotCreated", "the workload is not there yet")
    if workload.is_ready:
        text = f"{workload.ref} has {workload.ready_replicas} of {workload.replicas} replicas ready"
        return Condition(ConditionType.INFERENCE_READY, Status.TRUE, "WorkspaceInferenceStatusSuccess", text)
    return _not_ready(snapshot)


def _not_ready(snapshot: Snapshot) -> Condition:
    troubled = next((pod for pod in snapshot.pods if pod.trouble or pod.unschedulable), None)
    if troubled is not None:
        return Condition(ConditionType.INFERENCE_READY, Status.FALSE, *_trouble(troubled))
    workload = snapshot.workload
    failure = workload.condition("ReplicaFailure") if workload is not None else None
    if workload is not None and failure is not None and failure.is_true:
        return Condition(ConditionType.INFERENCE_READY, Status.FALSE, failure.reason, f"{workload.ref}: {failure.message}")
    counts = f"{workload.ready_replicas} of {workload.replicas}" if workload is not None else "0"
    return Condition(ConditionType.INFERENCE_READY, Status.FALSE, "ModelServerStarting", f"{counts} replicas ready")


def _trouble(pod: Pod) -> tuple[str, str]:
    if pod.unschedulable:
        return "Unschedulable", f"{pod.meta.ref}: {pod.unschedulable}"
    return pod.trouble.partition(":")[0], f"{pod.meta.ref}: {pod.trouble}"
