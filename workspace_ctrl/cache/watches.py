"""The kinds that we watch: where they are served, how they are read, and which Workspace they belong to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.labels import (
    FIELD_MANAGER,
    GATEWAY_NAME_LABEL,
    GROUP,
    KIND,
    MANAGED_BY_LABEL,
    OWNER_LABEL,
    PICKER_POD_LABEL,
    PLURAL,
    POD_LABEL,
    STORAGE_VERSION,
)
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.records import core, flux, gateways, inventory, objectives, pods, workloads, workspaces
from workspace_ctrl.records.isolation import read_object
from workspace_ctrl.records.meta import Meta

WORKSPACE: Final = ApiResource(GROUP, STORAGE_VERSION, PLURAL, KIND)
DEPLOYMENT: Final = ApiResource("apps", "v1", "deployments", "Deployment")
STATEFUL_SET: Final = ApiResource("apps", "v1", "statefulsets", "StatefulSet")
CLAIM: Final = ApiResource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
CONFIG_MAP: Final = ApiResource("", "v1", "configmaps", "ConfigMap")
NODE: Final = ApiResource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACE: Final = ApiResource("", "v1", "namespaces", "Namespace", namespaced=False)
SECRET: Final = ApiResource("", "v1", "secrets", "Secret")
SERVICE: Final = ApiResource("", "v1", "services", "Service")
POD: Final = ApiResource("", "v1", "pods", "Pod")
OCI_REPOSITORY: Final = ApiResource("source.toolkit.fluxcd.io", "v1", "ocirepositories", "OCIRepository")
HELM_RELEASE: Final = ApiResource("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")
GATEWAY: Final = ApiResource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
GATEWAY_CLASS: Final = ApiResource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
HTTP_ROUTE: Final = ApiResource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
INFERENCE_POOL: Final = ApiResource("inference.networking.k8s.io", "v1", "inferencepools", "InferencePool")
DESTINATION_RULE: Final = ApiResource("networking.istio.io", "v1", "destinationrules", "DestinationRule")
ROLE: Final = ApiResource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDING: Final = ApiResource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
SERVICE_ACCOUNT: Final = ApiResource("", "v1", "serviceaccounts", "ServiceAccount")
MODEL_SERVER: Final = ApiResource("networking.serving.volcano.sh", "v1alpha1", "modelservers", "ModelServer")
"""Kthena's; watched only where a Gateway's class needs it."""
INFERENCE_OBJECTIVE: Final = ApiResource("inference.networking.x-k8s.io", "v1alpha2", "inferenceobjectives", "InferenceObjective")
"""Watched only in namespaces of Workspaces that have any."""

OURS: Final = f"{OWNER_LABEL},{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Selects what we apply ourselves, without what the chart makes."""
OF_CHARTS: Final = f"{OWNER_LABEL},{MANAGED_BY_LABEL}!={FIELD_MANAGER}"
"""Selects what the chart makes, without what we apply ourselves."""
GATEWAY_PROXY: Final = "GatewayProxy"
"""Name of the store of Gateways' own Deployments."""
PICKER_POD: Final = "EndpointPickerPod"
"""Name of the store of endpoint pickers' pods."""
PART_PREFIX: Final = "Chart"
"""Begins the name of a store of charts' objects."""
GATEWAY_SERVICE: Final = "GatewayService"
"""Name of the store of Gateways' own Services."""


@dataclass(frozen=True)
class WatchedKind:
    """One row: a kind, and how we watch it."""

    resource: ApiResource
    parse: Callable[[Json, str], Any]
    selector: str = ""
    workspace_of: Callable[[Any], str] | None = None
    """Name of the Workspace that a record belongs to; None for kinds that concern several."""
    name: str = ""
    """Name of the records' store, where one kind is watched for two reasons; the kind otherwise."""
    on_interest: bool = False
    """Whether a change concerns only those Workspaces whose plan has asked for it; otherwise, without `workspace_of`, all."""
    metadata_only: bool = False
    """Whether content and status stay on the API server."""
    owners: str = ""
    """Name of the store with the records' owners, where these are not Workspaces themselves."""

    def read(self, raw: Json, kind: str) -> Any:  # noqa: ANN401
        """Return the record of an object; only its identity if it cannot be parsed."""
        return read_object(self.parse, raw, kind)

    @property
    def store(self) -> str:
        """Name of the records' store."""
        return self.name or self.resource.kind

    @property
    def is_chart_object(self) -> bool:
        """Whether these are objects of charts, which are kept in a table of their own."""
        return self.parse is inventory.parse_chart_object

    @property
    def concerns_all(self) -> bool:
        """Whether a change concerns all Workspaces."""
        return self.workspace_of is None and not self.on_interest


def _of_charts(resource: ApiResource) -> WatchedKind:
    """Return how a kind is watched of which only the objects of charts matter, and in those only that they are there, unedited."""
    return WatchedKind(
        resource, inventory.parse_chart_object, OF_CHARTS, _by_owner_label, name=f"{PART_PREFIX}{resource.kind}", metadata_only=True
    )


def _by_owner_label(record: Any) -> str:  # noqa: ANN401
    meta: Meta = record.meta
    return meta.workspace


def _by_pod_label(pod: pods.Pod) -> str:
    return pod.labels.get(POD_LABEL, "")


def _by_picker(pod: pods.Pod) -> str:
    return pod.labels.get(PICKER_POD_LABEL, "")


def _itself(record: workspaces.WorkspaceRecord) -> str:
    return record.meta.ref.name


_WATCHED_PARTS: Final = (SERVICE, CONFIG_MAP, SERVICE_ACCOUNT, ROLE, ROLE_BINDING, DESTINATION_RULE)

WATCHED: Final[tuple[WatchedKind, ...]] = (
    WatchedKind(WORKSPACE, workspaces.parse_workspace_record, workspace_of=_itself),
    WatchedKind(DEPLOYMENT, workloads.parse_workload, OWNER_LABEL, _by_owner_label),
    WatchedKind(STATEFUL_SET, workloads.parse_workload, OWNER_LABEL, _by_owner_label),
    WatchedKind(CLAIM, workloads.parse_persistent_volume_claim, OWNER_LABEL, _by_owner_label, metadata_only=True),
    WatchedKind(SERVICE, workloads.parse_service, OURS, _by_owner_label),
    WatchedKind(POD, pods.parse_pod, POD_LABEL, _by_pod_label),
    WatchedKind(OCI_REPOSITORY, flux.parse_oci_repository, OWNER_LABEL, _by_owner_label),
    WatchedKind(HELM_RELEASE, flux.parse_helm_release, OWNER_LABEL, _by_owner_label),
    WatchedKind(HTTP_ROUTE, gateways.parse_http_route, OWNER_LABEL, _by_owner_label),
    WatchedKind(INFERENCE_POOL, gateways.parse_inference_pool, OWNER_LABEL, _by_owner_label),
    WatchedKind(GATEWAY, gateways.parse_gateway),
    WatchedKind(GATEWAY_CLASS, gateways.parse_gateway_class),
    WatchedKind(CONFIG_MAP, core.parse_config_map, f"!{OWNER_LABEL}", on_interest=True, metadata_only=True),
    WatchedKind(NODE, core.parse_node, on_interest=True, metadata_only=True),
    WatchedKind(NAMESPACE, core.parse_namespace, on_interest=True, metadata_only=True),
    WatchedKind(DEPLOYMENT, gateways.parse_gateway_proxy, GATEWAY_NAME_LABEL, name=GATEWAY_PROXY),
    WatchedKind(POD, pods.parse_pod, PICKER_POD_LABEL, _by_picker, name=PICKER_POD, owners=DEPLOYMENT.kind),
    *map(_of_charts, _WATCHED_PARTS),
    WatchedKind(SERVICE, gateways.parse_gateway_service, GATEWAY_NAME_LABEL, name=GATEWAY_SERVICE),
)

CHART_OBJECT_RESOURCES: Final = {resource.kind: resource for resource in (*_WATCHED_PARTS, DEPLOYMENT, INFERENCE_POOL)}
"""Where the kinds of charts' objects are served."""
GATEWAY_SIDE: Final = frozenset(
    {
        *(
            resource.kind
            for resource in (OCI_REPOSITORY, HELM_RELEASE, HTTP_ROUTE, INFERENCE_POOL, GATEWAY, GATEWAY_CLASS, NAMESPACE)
        ),
        *(GATEWAY_PROXY, GATEWAY_SERVICE, PICKER_POD),
        *(watched.store for watched in WATCHED if watched.is_chart_object),
    }
)
"""Names of the stores that only the feature gate gatewayAPIInferenceExtension needs."""
BY_KIND: Final = {watched.resource.kind: watched for watched in WATCHED if not watched.name}
_LATE: Final = {resource.kind: resource for resource in (MODEL_SERVER, INFERENCE_OBJECTIVE)}
RESOURCES: Final = _LATE | {kind: watched.resource for kind, watched in BY_KIND.items()}
"""Kind → where it is served, of everything that we write."""
_LATE_PARSERS: Final = {MODEL_SERVER.kind: gateways.parse_kthena_model_server, INFERENCE_OBJECTIVE.kind: objectives.parse_objective}


def read_written(answer: Json) -> Any:  # noqa: ANN401
    """Return the record of an object that the API server returned for one of our writes."""
    kind: str = answer["kind"]
    watched = BY_KIND.get(kind)
    return read_object(watched.parse if watched is not None else _LATE_PARSERS[kind], answer, kind)
