"""Labels, annotations and other fixed words that objects carry.

The keys with `kaito.sh` are KAITO's and keep their meaning, so that its manifests, dashboards and selectors go on working.
"""

import re
from collections.abc import Mapping
from typing import Final

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/"

GROUP: Final = "kaito.sh"
KIND: Final = "Workspace"
PLURAL: Final = "workspaces"
STORAGE_VERSION: Final = "v1beta1"
API_VERSION: Final = f"{GROUP}/{STORAGE_VERSION}"

FIELD_MANAGER: Final = "workspace-ctrl"
FINALIZER: Final = "workspace-ctrl/gateway"
"""Set only on Workspaces that have gateway objects: their removal has an order that garbage collection does not know."""

POD_LABEL: Final = "kaito.sh/workspace"
"""On model-server pods, with the Workspace's name; the InferencePool selects by it (KAITO's key)."""

OWNER_LABEL: Final = "workspace-ctrl/workspace"
"""On every object that exists because of a Workspace, with its name, the chart's objects included. Informers select by it.

It is another key than `POD_LABEL`, because the endpoint picker's objects carry it too and must never match the pool's selector.
"""

BODY_ROUTER_LABEL: Final = "workspace-ctrl/body-router"
"""On the objects of a Gateway's body-based router, with their common name. They belong to no Workspace, so they have no owner label."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' label; with our name on what we apply ourselves, with Helm's on what the chart makes."""

PICKER_POD_LABEL: Final = "inferencepool"
"""On the endpoint picker's pods, with its Deployment's name (of the chart `inferencepool`)."""

HASH_ANNOTATION: Final = "workspace-ctrl/applied-hash"
"""Hash of the fields that we last applied: a restart compares it and writes nothing."""

REQUESTED_AT_ANNOTATION: Final = "reconcile.fluxcd.io/requestedAt"
"""Flux's: a new value asks it to look at the object now."""
REPAIR_MANAGER: Final = "workspace-ctrl-repair"
"""Field manager of what asks Flux for a look, so that nothing else that we decide depends on it."""

NODE_GPUS_ANNOTATION: Final = "workspace-ctrl/node-gpus"
"""On a workload: the GPUs of a node for which it was sized, where nodes' labels told them. A node that comes or goes later does not
change the size of a running model."""

RUNTIME_ANNOTATION: Final = "kaito.sh/runtime"
"""On a Workspace: KAITO's choice between vllm and transformers."""
LOAD_BALANCER_ANNOTATION: Final = "kaito.sh/enablelb"
"""On a Workspace, with value "True": its Service is of type LoadBalancer (KAITO's)."""
BYPASS_ANNOTATION: Final = "kaito.sh/bypass-resource-checks"
"""On a Workspace: serve the model although sizing says that it does not fit (KAITO's)."""

ADOPT_ANNOTATION: Final = "workspace-ctrl/adopt"
"""On a Workspace: objects of its names that others have made become its own."""

USER_ANNOTATIONS: Final[Mapping[str, str]] = {
    RUNTIME_ANNOTATION: "KAITO's choice of runtime: `vllm`, the default; `transformers` is refused.",
    LOAD_BALANCER_ANNOTATION: 'With value `"True"`: the Service of the model server is of type LoadBalancer.',
    BYPASS_ANNOTATION: "With any value: the model is served although sizing says that it does not fit.",
    ADOPT_ANNOTATION: "Objects of the Workspace's names that others have made, KAITO among them, become its own, are changed and at the "
    'end deleted with it: `"true"`, or their kinds, such as `Deployment,Service`. Not needed any more once that has happened.',
}
"""What users may put on a Workspace."""

GATEWAY_LABELS: Final = (
    "kaito.sh/inference-gateway",
    "kubeairunway.ai/inference-gateway",
    "airunway.ai/inference-gateway",
)
"""With value "true" on a Gateway: the one to attach Workspaces to."""

GATEWAY_NAME_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
"""The Gateway API's well-known label on what a Gateway's controller makes for a Gateway."""

POD_INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"
INFERENCE_PORT: Final = 5000
"""Port of the model server in its pod (KAITO's)."""
SERVICE_PORT: Final = 80
RAY_PORT: Final = 6379
RAY_DASHBOARD_PORT: Final = 8265


LABEL_KEY_PATTERN: Final = f"({_PREFIX})?{_NAME}"
LABEL_VALUE_PATTERN: Final = f"({_NAME})?"


def wrong_label(labels: Mapping[str, str]) -> str:
    """Return the first of `labels` that Kubernetes does not take, as key=value, cut to 64 characters; empty where it takes all."""
    for key, value in labels.items():
        if not re.fullmatch(LABEL_KEY_PATTERN, key) or not re.fullmatch(LABEL_VALUE_PATTERN, value):
            return f"{key}={value}"[:64]
    return ""
