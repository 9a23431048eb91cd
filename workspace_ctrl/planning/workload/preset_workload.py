"""The workload of a preset: a Deployment if one node holds the model, else a StatefulSet whose first pod is the leader.

The copies of an InferenceSet are the replicas of the Deployment; of a model on several nodes, each copy is a StatefulSet of its own.
"""

from dataclasses import replace
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.labels import NODE_GPUS_ANNOTATION
from workspace_ctrl.api.names import STATEFUL_SET_NAME_LIMIT
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.workload.preset_pods import PresetServer, claim_spec, pod_spec
from workspace_ctrl.records.meta import Meta


def workloads(owner: Meta, server: PresetServer, node_gpus: str) -> tuple[Manifest, ...]:
    """Return the Deployment or StatefulSet, or the StatefulSets of all copies; never none, as the first copy stays without pods.

    `node_gpus` becomes an annotation if the size comes from node labels.

    Raises:
        SpecError: the name is too long for a StatefulSet.
    """
    annotations = {NODE_GPUS_ANNOTATION: node_gpus} if node_gpus else {}
    if not server.is_multi_node:
        return (
            owned("apps/v1", "Deployment", server.workload, owner, {"spec": _deployment_spec(server)}, annotations=annotations),
        )
    numbers = [None] if server.copies is None else range(max(server.copies.on(server.sizing.nodes), 1))
    each = [replace(server, copy=number) for number in numbers]
    _check_name(server, each[-1])
    return tuple(
        owned("apps/v1", "StatefulSet", one.workload, owner, {"spec": _stateful_set_spec(one)}, annotations=annotations)
        for one in each
    )


def _check_name(server: PresetServer, last: PresetServer) -> None:
    most = STATEFUL_SET_NAME_LIMIT - (len(last.workload) - len(server.names.workload))
    if len(server.names.workload) > most:
        raise SpecError("metadata.name", f"must have at most {most} characters for a model on several nodes")


def weights_claim(owner: Meta, server: PresetServer) -> Manifest | None:
    """Return the PersistentVolumeClaim for the weights of a Deployment, if the user wants a new one."""
    volume = server.inference.weights_volume
    if volume is None or volume.claim_name or server.is_multi_node:
        return None
    return owned("v1", "PersistentVolumeClaim", server.names.weights_claim, owner, {"spec": claim_spec(volume, server.model)})


def _deployment_spec(server: PresetServer) -> dict[str, Any]:
    """Return the Deployment's spec: of a Workspace without `replicas`, so that a user or autoscaler can scale it, by default 1."""
    return {
        **replicas_of(server.copies),
        "selector": {"matchLabels": server.selector},
        "strategy": rollout(server.copies),
        "template": {"metadata": {"labels": server.labels}, "spec": pod_spec(server)},
    }


def replicas_of(copies: Copies | None) -> dict[str, int]:
    """Return the replicas of the Deployment of an InferenceSet, whose copies need a node each; nothing for a Workspace."""
    return {"replicas": copies.on(1)} if copies is not None else {}


def rollout(copies: Copies | None) -> dict[str, Any]:
    """Return the strategy of a Deployment; a surge pod would need a second set of GPUs during a rollout."""
    unavailable = copies.max_unavailable if copies is not None else 1
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": unavailable}}


def _stateful_set_spec(server: PresetServer) -> dict[str, Any]:
    """Return the StatefulSet's spec with `replicas`: its pods are the parts of one model replica, so nobody else may scale it."""
    has_pods = server.copies is None or server.copies.on(server.sizing.nodes) > 0
    spec: dict[str, Any] = {
        "replicas": server.sizing.nodes if has_pods else 0,
        "serviceName": server.names.headless_service,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": server.selector},
        "template": {"metadata": {"labels": server.labels}, "spec": pod_spec(server)},
    }
    volume = server.inference.weights_volume
    if volume is not None and not volume.claim_name:
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "weights"}, "spec": claim_spec(volume, server.model)}]
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    return spec
