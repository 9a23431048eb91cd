"""Labels, annotations and other constants of objects.

The keys with `kaito.sh` are KAITO's and keep their meaning, so that its manifests, dashboards and selectors still work.
"""

import re
from collections.abc import Mapping
from typing import Final

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/"

GROUP: Final = "kaito.sh"
KIND: Final = "Workspace"
PLURAL: Final = "workspaces"
SET_KIND: Final = "InferenceSet"
SET_PLURAL: Final = "inferencesets"
STORAGE_VERSION: Final = "v1beta1"
OLDER_VERSIONS: Final = ("v1alpha1",)
"""Further versions of our CRDs. Of KAITO's, some releases serve only these: InferenceSets had no other one before 0.11."""
API_VERSION: Final = f"{GROUP}/{STORAGE_VERSION}"

FIELD_MANAGER: Final = "workspace-ctrl"
FINALIZER: Final = "workspace-ctrl/gateway"
"""Set only on Workspaces that have gateway objects: they must be removed in an order, which garbage collection does not have."""

POD_LABEL: Final = "kaito.sh/workspace"
"""On model-server pods, with the Workspace's name; the InferencePool selects by it (KAITO's key)."""

SET_LABEL: Final = "inferenceset.kaito.sh/created-by"
"""On model-server pods of an InferenceSet, in addition, with its name (KAITO's key)."""

COPY_LABEL: Final = "workspace-ctrl/copy"
"""On model-server pods of an InferenceSet whose model needs several nodes, with the number of the copy that they are a part of."""

OWNER_LABEL: Final = "workspace-ctrl/workspace"
"""On every object of a Workspace or InferenceSet, with its name, including the objects of the chart. Informers select by it.

It differs from `POD_LABEL`, because the endpoint picker's pods have it, too, and must never match the pool's selector.
"""

GROUP_LABEL: Final = "workspace-ctrl/group"
"""On the HTTPRoute of a group, with the group's name. All members own it, so its owner label is there, but empty."""
GROUP_WEIGHTS_ANNOTATION: Final = "workspace-ctrl/group-weights"
"""On the HTTPRoute of a group: the weights of its members as the rules have them, such as v1=90,v2=10; members without requests are left
out."""

STATUS_REQUEST_ANNOTATION: Final = "workspace-ctrl/pool-status-requested"
"""On the HTTPRoute of a Workspace, while the status of its pool is out of date: a change of the route has Gateways' controllers look at the
pool again."""

BODY_ROUTER_LABEL: Final = "workspace-ctrl/body-router"
"""On the objects of a Gateway's body-based router, with their common name. No Workspace owns them, so they have no owner label."""

MODEL_INDEX_LABEL: Final = "workspace-ctrl/model-index"
"""On the HTTPRoutes of the list of models, with the name of its Service, which owns them; no Workspace does."""
MODEL_INDEX_ADDRESSES_ANNOTATION: Final = "workspace-ctrl/model-index-addresses"
"""On such a route: the addresses of its Gateway, by which URLs without a host name are recognised."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' label; its value is our name on objects that we apply, and Helm's on objects of the chart."""

PICKER_POD_LABEL: Final = "workspace-ctrl/endpoint-picker"
"""On the endpoint picker's pods, with its Deployment's name. The charts have labels of their own for that, each another one."""

HASH_ANNOTATION: Final = "workspace-ctrl/applied-hash"
"""Hash of the fields that we last applied: a restart compares it and writes nothing."""

REQUESTED_AT_ANNOTATION: Final = "reconcile.fluxcd.io/requestedAt"
"""Flux's annotation: a new value requests a reconciliation."""
SCALE_MANAGER: Final = "workspace-ctrl-scale"
"""Separate field manager for the replicas of a Deployment that is created again, so that our applies leave them alone."""
REPAIR_MANAGER: Final = "workspace-ctrl-repair"
"""Separate field manager for reconciliation requests, so that they do not affect the fields that we apply."""

NODE_GPUS_ANNOTATION: Final = "workspace-ctrl/node-gpus"
"""On a workload: the GPUs of a node for which it was sized, if they come from node labels. Nodes that are
added or removed later do not change the size of a running model."""

MODEL_FIGURES_ANNOTATION: Final = "workspace-ctrl/model-figures"
"""On a workload: the figures of a model that is not in the catalog, as the model hub had them when the workload was created. Neither a new
version of the model nor a hub that does not answer changes the size of a running model."""

RUNTIME_ANNOTATION: Final = "kaito.sh/runtime"
"""On a Workspace: KAITO's choice between vllm and transformers."""
LOAD_BALANCER_ANNOTATION: Final = "kaito.sh/enablelb"
"""On a Workspace, with value "true" in any case: its Service is of type LoadBalancer (KAITO's)."""
BYPASS_ANNOTATION: Final = "kaito.sh/bypass-resource-checks"
"""On a Workspace: serve the model even if sizing finds that it does not fit (KAITO's)."""
PERFORMANCE_ANNOTATION: Final = "kaito.sh/performance-mode"
"""On a Workspace: what vLLM is tuned for (KAITO's)."""
LOCAL_WEIGHTS_ANNOTATION: Final = "kaito.sh/use-local-weights"
"""On a Workspace: the weights of a preset are in a directory of the node (KAITO's)."""

UPDATE_ANNOTATION: Final = "workspace-ctrl/update-pods"
"""On a Workspace: the version of the controller whose changes of its pods no longer wait, or `always`."""
UPDATE_ALWAYS: Final = "always"
"""Its value with which no change waits."""

PAUSE_ANNOTATION: Final = "kaito.sh/paused"
"""On an InferenceSet, with value "true": KEDA does not scale it (KAITO's)."""
KEDA_PAUSE: Final = "autoscaling.keda.sh/paused"
KEDA_PAUSES: Final = (KEDA_PAUSE, *(f"{KEDA_PAUSE}-{what}" for what in ("replicas", "scale-in", "scale-out")))
"""KEDA's annotations that pause scaling: they may be on the InferenceSet as well as on the ScaledObject."""
KAITO_SCALING_PREFIX: Final = "scaledobject.kaito.sh/"
KAITO_SCALING: Final = tuple(
    f"{KAITO_SCALING_PREFIX}{name}" for name in ("auto-provision", "metricName", "threshold", "min-replicas", "max-replicas")
)
"""KAITO's annotations of an InferenceSet for autoscaling that have an effect."""

ADOPT_ANNOTATION: Final = "workspace-ctrl/adopt"
"""On a Workspace: adopt existing objects with its names."""

CANARY_ANNOTATION: Final = "workspace-ctrl/canary"
"""On a Workspace: what its author wants of its canary, whatever the figures say."""

GATEWAY_ANNOTATION: Final = "workspace-ctrl/gateway"
"""On a Workspace: its `gateway` field as YAML, where the CRD has no such field, as KAITO's."""
STATUS_ANNOTATION: Final = "workspace-ctrl/status"
"""On a Workspace in companion mode: our status as JSON, but for the one condition that is in KAITO's status."""

OF_SET_ALONE: Final = frozenset(
    {
        LOAD_BALANCER_ANNOTATION,
        ADOPT_ANNOTATION,
        GATEWAY_ANNOTATION,
        PAUSE_ANNOTATION,
        CANARY_ANNOTATION,
        *KAITO_SCALING,
        *KEDA_PAUSES,
    }
)
"""Annotations that count only on an InferenceSet itself, not in its template: the admission policy checks the rights for some of them
there, and others are about all copies together."""

USER_ANNOTATIONS: Final[Mapping[str, str]] = {
    RUNTIME_ANNOTATION: "KAITO's choice of runtime: `vllm` (default); `transformers` is not supported.",
    LOAD_BALANCER_ANNOTATION: 'With value `"true"`, in any case: the Service of the model server is of type LoadBalancer.',
    BYPASS_ANNOTATION: "With any value: the model is served even if sizing finds that it does not fit.",
    PERFORMANCE_ANNOTATION: "What the model server of a preset is tuned for: `balanced` (vLLM's default), `interactivity` or "
    "`throughput`, by vLLM's flag `--performance-mode`.",
    PAUSE_ANNOTATION: 'With value `"true"` on an InferenceSet: KEDA does not scale it, as with its own annotations '
    "`autoscaling.keda.sh/paused`, `paused-replicas`, `paused-scale-in` and `paused-scale-out`, which may be on the InferenceSet, too.",
    ADOPT_ANNOTATION: "Adopts existing objects with the Workspace's names, such as those of KAITO: they are changed now, and "
    'deleted with the Workspace. Value: `"true"`, or their kinds, such as `Deployment,Service`. Not needed after the adoption.',
    CANARY_ANNOTATION: "`promote-<revision>` or `abort-<revision>`, with the revision in `status.gateway.group.canary`: the canary gets "
    "all requests, or none. `workspace-ctrl promote` and `abort` set it.",
    UPDATE_ANNOTATION: "The version of the controller whose changes of pods no longer wait for a change of the spec, or `always` "
    "([upgrading](../upgrading.md#pods-wait)). Pods of InferenceSets wait for nothing.",
    GATEWAY_ANNOTATION: "The field `gateway` as YAML, for a CRD without that field, such as KAITO's; it has no effect beside the field. "
    "Without `group`, `serviceAccountName` and `endpointPicker.valuesFrom`.",
}
"""Annotations that users may set on a Workspace."""

KEY_PREFIXES: Final = ("kaito.sh/", "workspace-ctrl/")
"""Prefixes of the annotations for this controller: an unknown one with such a prefix is probably a mistake."""
KAITO_PREFIXES: Final = (
    "scaledobject.kaito.sh/",
    "workspace.kaito.io/",
    "inferenceset.kaito.io/",
    "inferenceset.kaito.sh/",
    "ragengine.kaito.io/",
)
"""Further prefixes of KAITO's annotations and labels."""

GATEWAY_LABELS: Final = (
    "kaito.sh/inference-gateway",
    "kubeairunway.ai/inference-gateway",
    "airunway.ai/inference-gateway",
)
"""With value "true" on a Gateway: Workspaces without parentRefs are attached to it (planning/gateway/parents.py)."""

GATEWAY_NAME_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
"""The Gateway API's well-known label on objects that a controller creates for a Gateway."""

OBJECTIVES_GROUP: Final = "inference.networking.x-k8s.io"
"""API group of InferenceObjectives in the inference extension up to 1.5."""
LLM_D_GROUP: Final = "llm-d.ai"
"""API group of InferenceObjectives in llm-d."""

POD_INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"
INFERENCE_PORT: Final = 5000
"""Port of the model server in its pod (KAITO's)."""
SERVICE_PORT: Final = 80
RAY_PORT: Final = 6379
RAY_DASHBOARD_PORT: Final = 8265
RENDEZVOUS_PORT: Final = 29501
"""Port of the first pod at which the pods of a model on several nodes find each other (vLLM's default)."""


LABEL_KEY_PATTERN: Final = f"({_PREFIX})?{_NAME}"
LABEL_VALUE_PATTERN: Final = f"({_NAME})?"


def is_label(key: str, value: object) -> bool:
    """Whether the API server accepts a label."""
    valid = isinstance(value, str) and re.fullmatch(LABEL_VALUE_PATTERN, value)
    return bool(valid and re.fullmatch(LABEL_KEY_PATTERN, key))


def wrong_label(labels: Mapping[str, str]) -> str:
    """Return the first invalid label of `labels` as key=value, cut to 64 characters; empty if all are valid."""
    for key, value in labels.items():
        if not is_label(key, value):
            return f"{key}={value}"[:64]
    return ""
