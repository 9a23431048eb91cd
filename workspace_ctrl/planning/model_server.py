"""The model server: a Deployment of vLLM for a preset on one node, and its Service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import INFERENCE_PORT, POD_LABEL, SERVICE_PORT
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import Inference, Preset, Resource, Workspace
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE, find_instance_type
from workspace_ctrl.catalog.presets import PresetModel, find_preset
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.planning.sizing import GPU_MEMORY_UTILIZATION, Sizing, size
from workspace_ctrl.records.meta import Meta

_WEIGHTS = "/workspace/weights"
_NOT_YET = "is not supported by this version of workspace-ctrl"


@dataclass(frozen=True, slots=True)
class ModelServer:
    """What a Workspace asks to be served, checked and sized."""

    preset: PresetModel
    sizing: Sizing
    token_secret: str
    """Secret with key HF_TOKEN; empty where none is needed."""


def model_server(workspace: Workspace) -> ModelServer:
    """Return what `workspace` asks to be served.

    Raises:
        SpecError: the model is not known or does not fit, or a field is not supported.
    """
    preset_spec = _supported_preset(workspace)
    preset = find_preset(preset_spec.name)
    node = find_instance_type(workspace.resource.instance_type or DEFAULT_INSTANCE_TYPE)
    secret = (preset_spec.preset_options.model_access_secret if preset_spec.preset_options else None) or ""
    if preset.gated and not secret:
        raise SpecError(
            "inference.preset.presetOptions.modelAccessSecret",
            f"is missing, and Hugging Face serves {preset.model} to registered users only",
            "create a Secret with your token under the key HF_TOKEN and name it here",
        )
    sizing = size(preset, node)
    if sizing.nodes > 1:
        raise SpecError("resource.instanceType", f"asks for {sizing.explanation}, but more than one node {_NOT_YET}")
    return ModelServer(preset=preset, sizing=sizing, token_secret=secret)


def _supported_preset(workspace: Workspace) -> Preset:
    if workspace.inference is None:
        raise SpecError("tuning", _NOT_YET, "use KAITO for fine-tuning and serve the result here")
    inference: Inference = workspace.inference
    if inference.preset is None:
        raise SpecError("inference.template", _NOT_YET, "use inference.preset")
    for field in ("config", "adapters"):
        if getattr(inference, field):
            raise SpecError(f"inference.{field}", _NOT_YET, "remove it")
    return inference.preset


def deployment(owner: Meta, names: Names, resource: Resource, server: ModelServer, settings: PlanSettings) -> Manifest:
    """Return the Deployment of the model server.

    `replicas` is left out, so that whoever scales it keeps what they set; the API server's default is 1.
    """
    pod_labels = {POD_LABEL: names.workspace}
    body = {
        "spec": {
            "selector": {"matchLabels": pod_labels},
            # A second replica would need a second set of GPUs for the time of a rollout.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {"metadata": {"labels": pod_labels}, "spec": _pod_spec(names, resource, server, settings)},
        }
    }
    return owned("apps/v1", "Deployment", names.workload, owner, body)


def service(owner: Meta, names: Names) -> Manifest:
    """Return the Service of the model server, for clients inside the cluster that need no Gateway."""
    body = {
        "spec": {
            "selector": {POD_LABEL: names.workspace},
            "ports": [{"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": INFERENCE_PORT}],
        }
    }
    return owned("v1", "Service", names.service, owner, body)


def _pod_spec(names: Names, resource: Resource, server: ModelServer, settings: PlanSettings) -> Mapping[str, Any]:
    container: dict[str, Any] = {
        "name": names.workspace,
        "image": settings.model_server_image,
        "command": _command(server),
        "ports": [{"name": "http", "containerPort": INFERENCE_PORT, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "HF_HOME", "value": _WEIGHTS},
            *_token(server.token_secret),
        ],
        "resources": {key: {"nvidia.com/gpu": str(server.sizing.gpus)} for key in ("requests", "limits")},
        # Loading a large model takes many minutes; only then do the other probes begin.
        "startupProbe": _probe(period=2, failures=1800),
        "readinessProbe": _probe(period=5, failures=2),
        "livenessProbe": _probe(period=10, failures=6),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}, {"name": "weights", "mountPath": _WEIGHTS}],  # noqa: S108
    }
    return {
        "containers": [container],
        "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory"}}, {"name": "weights", "emptyDir": {}}],
        "affinity": {"nodeAffinity": _node_affinity(resource)},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
        ],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }


def _command(server: ModelServer) -> list[str]:
    return [
        "vllm",
        "serve",
        server.preset.model,
        f"--served-model-name={server.preset.name}",
        f"--port={INFERENCE_PORT}",
        f"--download-dir={_WEIGHTS}",
        f"--gpu-memory-utilization={GPU_MEMORY_UTILIZATION}",
        f"--tensor-parallel-size={server.sizing.tensor_parallel_size}",
        *([f"--max-model-len={server.sizing.max_model_len}"] if server.sizing.max_model_len else []),
        *server.preset.flags,
        *server.sizing.flags,
    ]


def _token(secret: str) -> list[dict[str, Any]]:
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "HF_TOKEN"}}}] if secret else []


def _probe(*, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/health", "port": INFERENCE_PORT},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _node_affinity(resource: Resource) -> dict[str, Any]:
    """Require the selector's labels, and the instance type unless the user's own nodes are named."""
    selector = resource.label_selector
    expressions = [
        {"key": key, "operator": "In", "values": [value]} for key, value in sorted((selector.match_labels or {}).items())
    ]
    expressions += [
        {"key": entry.key, "operator": entry.operator, "values": list(entry.values or ())}
        for entry in selector.match_expressions or ()
    ]
    if resource.instance_type and not resource.preferred_nodes:
        expressions.append({"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [resource.instance_type]})
    affinity: dict[str, Any] = {}
    if expressions:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    if resource.preferred_nodes:
        names = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in resource.preferred_nodes]
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 100, "preference": {"matchFields": [field]}} for field in names
        ]
    return affinity
