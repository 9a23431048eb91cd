"""The PodDisruptionBudget of a model server with several copies: a drain of nodes takes one copy at a time.

Of a model on several nodes, all pods of a copy are needed, and become unready together when one of them goes. So one budget counts the
pods of all copies, and lets as many *pods* go as copies may be unavailable: while a copy is broken, no pod of another one is evicted, and
its own remaining pods are not held back, as they are not ready. A single copy has no budget, which would only block the drain.

The API server evicts no pod that two budgets select. So none is created beside one of a user.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Any

from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.planning.adoption import is_adopted, is_restored
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.workload.model_server import ModelServer
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.scaling import DISRUPTION_BUDGET, DisruptionBudget
from workspace_ctrl.records.workspaces import WorkspaceRecord


def budgets_of_users(
    budgets: Iterable[DisruptionBudget], pods: Iterable[Pod], workspace: WorkspaceRecord, server: ModelServer
) -> Iterator[ObjectRef]:
    """Yield those of `budgets` that are not ours and select a pod of the model server of `workspace`, as it is planned or as it runs."""
    labels = [*map(_labels, (server.workload, *server.copies)), *(pod.labels for pod in pods if not pod.has_ended)]
    for budget in budgets:
        is_ours = (
            budget.meta.is_controlled_by(workspace.meta.uid) or _is_adopted(budget, workspace) or _is_restored(budget, workspace)
        )
        if not is_ours and any(map(budget.selects, labels)):
            yield budget.ref


def disruption_budget(owner: Meta, server: ModelServer, copies: int, max_unavailable: int | str) -> Manifest:
    """Return the PodDisruptionBudget of all pods of the model server with so many `copies`."""
    spec: dict[str, Any] = {
        "maxUnavailable": _pods(copies, max_unavailable) if server.copies else max_unavailable,  # else a pod is a copy
        "selector": {"matchLabels": {POD_LABEL: owner.ref.name}},
        # A copy that is not ready serves nobody, and must not block the drain of its node.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return owned("policy/v1", DISRUPTION_BUDGET, owner.ref.name, owner, {"spec": spec})


def _pods(copies: int, max_unavailable: int | str) -> int:
    """Return how many pods may go, one of each copy; a percentage is rounded up, as Kubernetes does."""
    if isinstance(max_unavailable, int):
        return max_unavailable
    return ceil(copies * int(max_unavailable.rstrip("%")) / 100)


def _is_adopted(budget: DisruptionBudget, workspace: WorkspaceRecord) -> bool:
    """Whether the user wants a budget with the name of ours to become ours."""
    is_free = budget.ref.name == workspace.meta.ref.name and not budget.meta.controller_uid
    return is_free and is_adopted(workspace.annotations, DISRUPTION_BUDGET)


def _is_restored(budget: DisruptionBudget, workspace: WorkspaceRecord) -> bool:
    """Whether a budget with the name of ours is one of ours that a backup has brought back, and so no user's."""
    return budget.ref.name == workspace.meta.ref.name and is_restored(budget.meta, workspace.meta)


def _labels(workload: Manifest | None) -> Mapping[str, str]:
    """Return the labels of the pods of a planned workload."""
    labels: Mapping[str, str] = workload["spec"]["template"]["metadata"]["labels"] if workload is not None else {}
    return labels
