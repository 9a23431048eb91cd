"""The workload of a preset: a Deployment if one node holds the model, else a StatefulSet whose first pod is the leader."""

from collections.abc import Mapping
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import STATEFUL_SET_NAME_LIMIT
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.workload.preset_pods import PresetServer, claim_spec, pod_spec
from workspace_ctrl.records.meta import Meta


def workload(owner: Meta, server: PresetServer, remembered: Mapping[str, str]) -> Manifest:
    """Return the Deployment or StatefulSet; `remembered` are annotations with what it is sized for, as far as they are not empty.

    Raises:
        SpecError: the name is too long for a StatefulSet.
    """
    annotations = {key: text for key, text in remembered.items() if text}
    if server.is_multi_node:
        if len(server.names.workload) > STATEFUL_SET_NAME_LIMIT:
            raise SpecError("metadata.name", f"must have at most {STATEFUL_SET_NAME_LIMIT} characters for a model on several nodes")
        return owned(
            "apps/v1", "StatefulSet", server.names.workload, owner, {"spec": _stateful_set_spec(server)}, annotations=annotations
        )
    return owned("apps/v1", "Deployment", server.names.workload, owner, {"spec": _deployment_spec(server)}, annotations=annotations)


def weights_claim(owner: Meta, server: PresetServer) -> Manifest | None:
    """Return the PersistentVolumeClaim for the weights of a Deployment, if the user wants a new one."""
    volume = server.inference.weights_volume
    if volume is None or volume.claim_name or server.is_multi_node:
        return None
    return owned("v1", "PersistentVolumeClaim", server.names.weights_claim, owner, {"spec": claim_spec(volume, server.model)})


def _deployment_spec(server: PresetServer) -> dict[str, Any]:
    """Return the Deployment's spec without `replicas`, so that a user or autoscaler can scale it; the API server's default is 1."""
    labels = {POD_LABEL: server.names.workspace}
    return {
        "selector": {"matchLabels": labels},
        # A surge pod would need a second set of GPUs during a rollout.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(server)},
    }


def _stateful_set_spec(server: PresetServer) -> dict[str, Any]:
    """Return the StatefulSet's spec with `replicas`: its pods are the parts of one model replica, so nobody else may scale it."""
    labels = {POD_LABEL: server.names.workspace}
    spec: dict[str, Any] = {
        "replicas": server.sizing.nodes,
        "serviceName": server.names.headless_service,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(server)},
    }
    volume = server.inference.weights_volume
    if volume is not None and not volume.claim_name:
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "weights"}, "spec": claim_spec(volume, server.model)}]
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    return spec
