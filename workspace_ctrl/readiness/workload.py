"""The model server: accepted by the API server, scheduled to nodes, and ready."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import InferenceSetStatus
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.failure_reasons import (
    DRY_RUN_PENDING,
    MODEL_SERVER_STARTING,
    NO_PODS,
    SCALED_TO_ZERO,
    WORKLOAD_NOT_CREATED,
    held_reason,
    scaled_to_zero,
)
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import Pod, PodProblem, failing
from workspace_ctrl.records.workloads import ReferencedWorkload, Workload, WorkloadKind

_COUNTING_KINDS: Final = frozenset({"Deployment", "StatefulSet"})
"""Kinds whose status shows whether all replicas of the newest spec are ready; for other kinds, the pods decide."""
_NO_SUCH_NODE: Final = "Pod's node affinity"
"""In the scheduler's message: "didn't match Pod's node affinity/selector"."""


def workload_link(kind: str, reference: ObjectRef | None, sizing: str) -> Link:
    """Return whether the API server accepts the workload, and as which kind; a referenced workload needs no acceptance."""
    if not kind:
        return Link.waiting(LinkName.WORKLOAD, DRY_RUN_PENDING, "waiting for the API server's dry-run of the workload")
    if reference is not None:
        pods = str(reference) if reference.name else "the pods of workloadRef.selector"
        return Link.true(LinkName.WORKLOAD, "Referenced", f"model is served by {pods}, not managed by workspace-ctrl")
    return Link.true(LinkName.WORKLOAD, "Accepted", f"accepted by the API server as {kind}; {sizing}")


def resource_condition(pods: Sequence[Pod], zero: ObjectRef | None = None, held: str = "") -> Condition:
    """Return ResourceReady: the pods of the model server are scheduled.

    `zero` is the InferenceSet, if it is scaled to 0, and `held` that requests wait for its first copy; empty if they do not.
    """
    if zero is not None:
        return Condition(ConditionType.RESOURCE_READY, Status.FALSE, SCALED_TO_ZERO, held or scaled_to_zero(zero))
    pods = [pod for pod in pods if not pod.has_ended]
    placed = [pod for pod in pods if pod.node]
    if pods and len(placed) == len(pods):
        nodes = ", ".join(sorted({pod.node for pod in placed}))
        return Condition(
            ConditionType.RESOURCE_READY, Status.TRUE, "workspaceResourceStatusSuccess", f"pods are scheduled to {nodes}"
        )
    for pod in pods:
        if pod.problem is not None and pod.problem.reason == "Unschedulable":
            text = f"{pod.meta.ref}: {pod.problem.message}"
            return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "Unschedulable", text)
    return Condition(ConditionType.RESOURCE_READY, Status.FALSE, "WaitingForNodes", "no pod is scheduled yet")


def with_wanted_nodes(pods: Sequence[Pod], labels: str) -> Sequence[Pod]:
    """Return the pods; of those for which the scheduler finds no node with the labels, its message says which these are, as it does not."""
    return [_with_wanted_nodes(pod, labels) for pod in pods] if labels else pods


def _with_wanted_nodes(pod: Pod, labels: str) -> Pod:
    problem = pod.problem
    if problem is None or problem.reason != "Unschedulable" or _NO_SUCH_NODE not in problem.message:
        return pod
    return replace(pod, problem=PodProblem.of(problem.reason, f"nodes need {labels}; {problem.message}"))


def inference_condition(accepted: Link, workload: Workload | None, pods: Sequence[Pod], expected: str) -> Condition:
    """Return InferenceReady: the model server serves with its newest spec.

    Of a Deployment one ready replica is enough, so that scaling does not make a model that serves not ready; the pods of a StatefulSet of
    ours are parts of one replica.

    `expected` is the Workspace's own workload, as kind and name; empty if another object creates the pods, which then decide alone.
    """
    if not accepted.holds:
        return _inference(Status.FALSE, accepted.reason, accepted.message)
    if workload is None:
        created = f"{expected} has not been created yet"
        return _inference(Status.FALSE, WORKLOAD_NOT_CREATED, created) if expected else _by_pods(pods)
    if workload.is_ready:
        text = f"{workload.ref} has {workload.ready_replicas} of {workload.replicas} replicas ready"
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", text)
    if workload.serves and workload.ref.kind == WorkloadKind.DEPLOYMENT:
        problem = _pod_problem(pods)
        missing = f"; {problem.reason}: {problem.message}" if problem is not None else ""
        text = f"{workload.ref} has {workload.ready_replicas} of {workload.replicas} replicas ready{missing}"
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", text)
    return _not_ready(workload, pods)


def copies_condition(
    accepted: Link,
    ref: ObjectRef,
    wanted: int,
    workloads: Sequence[Workload],
    pods: Sequence[Pod],
    *,
    outdated: bool,
    was_ready: bool,
    held: str = "",
) -> Condition:
    """Return InferenceReady of an InferenceSet: at least one copy is ready, and none has pods of an older template.

    `workloads` are the Deployment, or the StatefulSets of the wanted copies, and `outdated` is whether one of them has yet to get a change
    of the template. What a workload's controller has not observed yet is such a change only if the InferenceSet was not ready before
    (`was_ready`): it stays not ready then, and scaling does not make it so. `held` is that requests wait for the first copy; empty if they
    do not.
    """
    if not accepted.holds:
        return _inference(Status.FALSE, accepted.reason, accepted.message)
    if held:
        return _inference(Status.TRUE, held_reason(wanted), held)
    if not wanted:
        return _inference(Status.FALSE, SCALED_TO_ZERO, scaled_to_zero(ref))
    if not workloads:
        return _inference(Status.FALSE, WORKLOAD_NOT_CREATED, f"the workload of {ref} has not been created yet")
    ready, problem = ready_copies(workloads), _pod_problem(pods)
    counts = f"{ref} has {min(ready, wanted)} of {wanted} replicas ready"
    has_old_pods = outdated or any(
        each.updated_replicas < each.existing_replicas or not (each.is_current or was_ready) for each in workloads
    )
    if ready and not has_old_pods:
        missing = f"; {problem.reason}: {problem.message}" if problem is not None and ready < wanted else ""
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", f"{counts}{missing}")
    failures = (_replica_failure(each) for each in workloads)
    words = f"{counts}; a change is being rolled out" if has_old_pods else counts
    return problem or next(filter(None, failures), None) or _inference(Status.FALSE, MODEL_SERVER_STARTING, words)


def ready_copies(workloads: Sequence[Workload]) -> int:
    """Return the number of ready copies: the pods of a Deployment, or StatefulSets all of whose pods are ready."""
    return sum(each.ready_replicas if each.ref.kind == WorkloadKind.DEPLOYMENT else int(each.is_ready) for each in workloads)


def with_replicas(
    status: InferenceSetStatus, before: InferenceSetStatus, pods: Sequence[Pod], selector: Mapping[str, str], wanted: int | None
) -> InferenceSetStatus:
    """Return `status` with the numbers of copies, by the pods that serve requests; while those are not known, as they were `before`."""
    if not selector:
        kept = {name: getattr(before, name) for name in ("replicas", "ready_replicas", "ready", "selector")}
        return replace(status, **kept)
    serving = [pod for pod in pods if pod.matches(selector) and not pod.has_ended and not pod.meta.deleting]
    ready = sum(pod.ready for pod in serving)
    return replace(
        status,
        replicas=len(serving),
        ready_replicas=ready,
        ready=f"{ready}/{len(serving) if wanted is None else wanted}",
        selector=",".join(f"{key}={value}" for key, value in sorted(selector.items())),
    )


def referenced_workload(kind: str, referenced: ReferencedWorkload | None) -> Workload | None:
    """Return the referenced workload if it is of a kind that counts its replicas; None if its pods decide."""
    return referenced.workload if referenced is not None and kind in _COUNTING_KINDS else None


def _by_pods(pods: Sequence[Pod]) -> Condition:
    pods = [pod for pod in pods if not pod.has_ended] or pods
    ready = sum(pod.ready for pod in pods)
    counts = f"{ready} of {len(pods)} pods ready"
    if pods and ready == len(pods):
        return _inference(Status.TRUE, "WorkspaceInferenceStatusSuccess", counts)
    return _pod_problem(pods) or _inference(Status.FALSE, MODEL_SERVER_STARTING if pods else NO_PODS, counts)


def _not_ready(workload: Workload, pods: Sequence[Pod]) -> Condition:
    unhealthy = _pod_problem(pods)
    if unhealthy is not None:
        return unhealthy
    if workload.replicas == 0:
        return _inference(Status.FALSE, SCALED_TO_ZERO, f"{workload.ref} is scaled to 0")
    failure = _replica_failure(workload)
    if failure is not None:
        return failure
    counts = f"{workload.ref}: {workload.ready_replicas} of {workload.replicas} replicas ready"
    return _inference(Status.FALSE, MODEL_SERVER_STARTING, counts)


def _replica_failure(workload: Workload) -> Condition | None:
    """Return why pods of the workload cannot be created, such as a quota; None if they can."""
    failure = workload.condition("ReplicaFailure")
    if failure is None or not failure.is_true:
        return None
    return _inference(Status.FALSE, failure.reason, f"{workload.ref}: {failure.message}")


def _pod_problem(pods: Sequence[Pod]) -> Condition | None:
    """Return the problem of the newest failing pod, with the message of kubelet or scheduler."""
    for pod in failing(pods):
        if pod.problem is not None:
            return _inference(Status.FALSE, pod.problem.reason, f"{pod.meta.ref}: {pod.problem.message}")
    return None


def _inference(status: Status, reason: str, message: str) -> Condition:
    return Condition(ConditionType.INFERENCE_READY, status, reason, message)
