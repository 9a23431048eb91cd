"""The table of watched kinds: where each is served, how it is read, and which Workspaces an event of it enqueues."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar

from workspace_ctrl.api.labels import (
    FIELD_MANAGER,
    GATEWAY_NAME_LABEL,
    GROUP,
    KIND,
    LLM_D_GROUP,
    MANAGED_BY_LABEL,
    OBJECTIVES_GROUP,
    OLDER_VERSIONS,
    OWNER_LABEL,
    PICKER_POD_LABEL,
    PLURAL,
    POD_LABEL,
    SET_KIND,
    SET_PLURAL,
    STORAGE_VERSION,
)
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Key
from workspace_ctrl.planning.manifests import kind_of
from workspace_ctrl.records.chart_inventory import ChartObject, parse_chart_object
from workspace_ctrl.records.companion_status import parse_companion_record
from workspace_ctrl.records.core_v1 import parse_config_map, parse_namespace, parse_node
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, parse_helm_release, parse_oci_repository
from workspace_ctrl.records.gateways import (
    GatewayProxy,
    GatewayService,
    parse_gateway,
    parse_gateway_class,
    parse_gateway_proxy,
    parse_gateway_service,
    parse_http_route,
    parse_inference_pool,
    parse_kthena_model_server,
)
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.objectives import objective_kind, parse_objective
from workspace_ctrl.records.pods import Pod, parse_pod
from workspace_ctrl.records.scaling import DISRUPTION_BUDGET, parse_disruption_budget, parse_scaled_object
from workspace_ctrl.records.unreadable_objects import read_object
from workspace_ctrl.records.workloads import (
    Workload,
    parse_network_policy,
    parse_persistent_volume_claim,
    parse_service,
    parse_workload,
)
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

WORKSPACE: Final = ApiResource(GROUP, STORAGE_VERSION, PLURAL, KIND, older=OLDER_VERSIONS)
INFERENCE_SET: Final = ApiResource(GROUP, STORAGE_VERSION, SET_PLURAL, SET_KIND, older=OLDER_VERSIONS)
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
NETWORK_POLICY: Final = ApiResource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
"""Watched only for models on several nodes."""
DISRUPTION_BUDGETS: Final = ApiResource("policy", "v1", "poddisruptionbudgets", DISRUPTION_BUDGET)
"""Watched only in namespaces with a model server of several copies; all of them there, as users may have their own."""
MODEL_SERVER: Final = ApiResource("networking.serving.volcano.sh", "v1alpha1", "modelservers", "ModelServer")
"""Kthena's; watched only where a Gateway's class needs it."""
SCALED_OBJECT: Final = ApiResource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
"""KEDA's; watched only for InferenceSets that are scaled by load."""
INFERENCE_OBJECTIVE: Final = ApiResource(OBJECTIVES_GROUP, "v1alpha2", "inferenceobjectives", objective_kind(OBJECTIVES_GROUP))
INFERENCE_OBJECTIVE_OF_LLM_D: Final = ApiResource(LLM_D_GROUP, "v1alpha2", "inferenceobjectives", objective_kind(LLM_D_GROUP))
INFERENCE_OBJECTIVES: Final = {resource.group: resource for resource in (INFERENCE_OBJECTIVE, INFERENCE_OBJECTIVE_OF_LLM_D)}
"""By API group; watched only in namespaces of Workspaces that have any."""

OURS: Final = f"{OWNER_LABEL},{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Selects what we apply ourselves, without what the chart makes."""
OF_CHARTS: Final = f"{OWNER_LABEL},{MANAGED_BY_LABEL}!={FIELD_MANAGER}"
"""Selects what the chart makes, without what we apply ourselves."""


class Record(Protocol):
    """What all records of watched kinds have."""

    @property
    def meta(self) -> Meta:
        """Identity and owner."""


RecordT = TypeVar("RecordT", bound=Record)


class Enqueues(Enum):
    """Which Workspaces and InferenceSets an event of a watched kind enqueues."""

    OWNER = "owner"
    """The Workspace that the object belongs to, by `WatchedKind.owner`; of the route of a group, all members."""
    OWNER_OF_DEPLOYMENT = "owner of the Deployment"
    """The Workspace of the Deployment that the object belongs to, by `WatchedKind.owner`."""
    DEPENDENTS = "dependents"
    """The Workspaces whose plan depends on the object (`DependencyIndex`)."""
    OWNER_OF_DEPLOYED = "owner of a deployed release"
    """The Workspace that the object of a chart belongs to, by `WatchedKind.owner`, unless Flux has yet to deploy the release: until then
    nothing is read of the objects, and that it is deployed is an event of the HelmRelease."""
    ALL = "all"
    """All Workspaces."""
    ALL_OF_GATEWAY = "all, for a Gateway"
    """All Workspaces, if the Gateway exists that the object belongs to, by `WatchedKind.owner`; its own label alone says nothing."""


def _never(_record: Record) -> bool:
    return False


@dataclass(frozen=True)
class WatchedKind(Generic[RecordT]):
    """One row of the table."""

    name: str
    """Name of the row: the kind, unless one kind is watched for several reasons."""
    resource: ApiResource
    parse: Callable[[Json, str], RecordT]
    selector: str = ""
    """Label selector, applied by the API server."""
    owner: Callable[[RecordT], str] | None = None
    """Name of the owner, in the namespace of the object, by which its records are found; empty if it has none."""
    enqueues: Enqueues = Enqueues.OWNER
    metadata_only: bool = False
    """Whether spec and status stay on the API server."""
    concerns_group: bool = False
    """Whether an event may also change the route of the owner's group, so that it enqueues the other members."""
    is_starting: Callable[[RecordT], bool] = _never
    """Whether an object is on its way, neither ready nor failed, so that its events only report progress."""

    @property
    def concerns_all(self) -> bool:
        """Whether an event may concern all Workspaces."""
        return self.enqueues in {Enqueues.ALL, Enqueues.ALL_OF_GATEWAY}

    def read(self, raw: Json, kind: str) -> RecordT:
        """Return the record of an object; only its identity if it cannot be parsed."""
        return read_object(self.parse, raw, kind)

    def owner_key(self, record: RecordT) -> Key | None:
        """Return namespace and name of the owner of a record; None if it has none."""
        owner = self.owner(record) if self.owner is not None else ""
        return (record.meta.ref.namespace, owner) if owner else None


def _label(record: Record) -> str:
    return record.meta.workspace


def _own_name(record: WorkspaceRecord) -> str:
    return record.meta.ref.name


def _pod_label(pod: Pod) -> str:
    return pod.labels.get(POD_LABEL, "")


def _picker_label(pod: Pod) -> str:
    return pod.labels.get(PICKER_POD_LABEL, "")


def _is_starting(record: Workload | Pod | OCIRepository | HelmRelease) -> bool:
    return record.is_starting


def _gateway(record: GatewayProxy | GatewayService) -> str:
    return record.gateway


def _chart_objects(resource: ApiResource) -> WatchedKind[ChartObject]:
    """Return the row of a kind of which only the objects of charts are watched: that they exist, and are not edited."""
    enqueues = Enqueues.OWNER_OF_DEPLOYED
    return WatchedKind(f"Chart{resource.kind}", resource, parse_chart_object, OF_CHARTS, _label, enqueues, metadata_only=True)


WORKSPACES: Final = WatchedKind(KIND, WORKSPACE, parse_workspace_record, owner=_own_name, concerns_group=True)
INFERENCE_SETS: Final = WatchedKind(SET_KIND, INFERENCE_SET, parse_workspace_record, owner=_own_name, concerns_group=True)
OF_KAITO: Final = {
    watched.resource.kind: replace(watched, parse=parse_companion_record) for watched in (WORKSPACES, INFERENCE_SETS)
}
"""The same rows in companion mode, where the status is KAITO's, by kind."""
DEPLOYMENTS: Final = WatchedKind(
    "Deployment", DEPLOYMENT, parse_workload, OWNER_LABEL, _label, concerns_group=True, is_starting=_is_starting
)
STATEFUL_SETS: Final = WatchedKind(
    "StatefulSet", STATEFUL_SET, parse_workload, OWNER_LABEL, _label, concerns_group=True, is_starting=_is_starting
)
VOLUME_CLAIMS: Final = WatchedKind(
    "PersistentVolumeClaim", CLAIM, parse_persistent_volume_claim, OWNER_LABEL, _label, metadata_only=True
)
SERVICES: Final = WatchedKind("Service", SERVICE, parse_service, OURS, _label)
PODS: Final = WatchedKind("Pod", POD, parse_pod, POD_LABEL, _pod_label, concerns_group=True, is_starting=_is_starting)
OCI_REPOSITORIES: Final = WatchedKind(
    "OCIRepository", OCI_REPOSITORY, parse_oci_repository, OWNER_LABEL, _label, is_starting=_is_starting
)
HELM_RELEASES: Final = WatchedKind("HelmRelease", HELM_RELEASE, parse_helm_release, OWNER_LABEL, _label, is_starting=_is_starting)
HTTP_ROUTES: Final = WatchedKind("HTTPRoute", HTTP_ROUTE, parse_http_route, OWNER_LABEL, _label, concerns_group=True)
INFERENCE_POOLS: Final = WatchedKind(
    "InferencePool", INFERENCE_POOL, parse_inference_pool, OWNER_LABEL, _label, concerns_group=True
)
GATEWAYS: Final = WatchedKind("Gateway", GATEWAY, parse_gateway, enqueues=Enqueues.ALL)
GATEWAY_CLASSES: Final = WatchedKind("GatewayClass", GATEWAY_CLASS, parse_gateway_class, enqueues=Enqueues.ALL)
CONFIG_MAPS: Final = WatchedKind(
    "ConfigMap", CONFIG_MAP, parse_config_map, f"!{OWNER_LABEL}", enqueues=Enqueues.DEPENDENTS, metadata_only=True
)
NODES: Final = WatchedKind("Node", NODE, parse_node, enqueues=Enqueues.DEPENDENTS, metadata_only=True)
NAMESPACES: Final = WatchedKind("Namespace", NAMESPACE, parse_namespace, enqueues=Enqueues.DEPENDENTS, metadata_only=True)
GATEWAY_PROXIES: Final = WatchedKind(
    "GatewayProxy", DEPLOYMENT, parse_gateway_proxy, GATEWAY_NAME_LABEL, _gateway, Enqueues.ALL_OF_GATEWAY
)
"""The Gateways' own Deployments."""
PICKER_PODS: Final = WatchedKind("EndpointPickerPod", POD, parse_pod, PICKER_POD_LABEL, _picker_label, Enqueues.OWNER_OF_DEPLOYMENT)
"""The endpoint pickers' pods, by the name of their Deployment."""
GATEWAY_SERVICES: Final = WatchedKind(
    "GatewayService", SERVICE, parse_gateway_service, GATEWAY_NAME_LABEL, _gateway, Enqueues.ALL_OF_GATEWAY
)
"""The Gateways' own Services."""
CHART_OBJECTS: Final = tuple(map(_chart_objects, (SERVICE, CONFIG_MAP, SERVICE_ACCOUNT, ROLE, ROLE_BINDING, DESTINATION_RULE)))
"""The objects of charts that nothing is read in."""

WATCHED: Final[tuple[WatchedKind[Any], ...]] = (
    WORKSPACES,
    INFERENCE_SETS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    VOLUME_CLAIMS,
    SERVICES,
    PODS,
    OCI_REPOSITORIES,
    HELM_RELEASES,
    HTTP_ROUTES,
    INFERENCE_POOLS,
    GATEWAYS,
    GATEWAY_CLASSES,
    CONFIG_MAPS,
    NODES,
    NAMESPACES,
    GATEWAY_PROXIES,
    PICKER_PODS,
    *CHART_OBJECTS,
    GATEWAY_SERVICES,
)

CHART_OBJECT_RESOURCES: Final = {
    **{watched.resource.kind: watched.resource for watched in CHART_OBJECTS},
    **{resource.kind: resource for resource in (DEPLOYMENT, INFERENCE_POOL)},
}
"""Where the kinds of charts' objects are served."""
GATEWAY_SIDE: Final = frozenset(
    watched.name
    for watched in WATCHED
    if watched not in (WORKSPACES, INFERENCE_SETS, DEPLOYMENTS, STATEFUL_SETS, VOLUME_CLAIMS, SERVICES, PODS, CONFIG_MAPS, NODES)
)
"""Names of the rows that only the feature gate gatewayAPIInferenceExtension needs."""
BY_KIND: Final[dict[str, WatchedKind[Any]]] = {
    watched.resource.kind: watched for watched in WATCHED if watched.name == watched.resource.kind
}
_WATCHED_ON_DEMAND: Final[tuple[WatchedKind[Any], ...]] = (
    WatchedKind(NETWORK_POLICY.kind, NETWORK_POLICY, parse_network_policy),
    WatchedKind(DISRUPTION_BUDGETS.kind, DISRUPTION_BUDGETS, parse_disruption_budget),
    WatchedKind(MODEL_SERVER.kind, MODEL_SERVER, parse_kthena_model_server),
    WatchedKind(SCALED_OBJECT.kind, SCALED_OBJECT, parse_scaled_object),
    *(WatchedKind(resource.kind, resource, parse_objective) for resource in INFERENCE_OBJECTIVES.values()),
)
_WRITTEN: Final = {watched.resource.kind: watched for watched in _WATCHED_ON_DEMAND} | BY_KIND
RESOURCES: Final = {kind: watched.resource for kind, watched in _WRITTEN.items()}
"""Kind → where it is served, of everything that we write."""


def resource_of(owner: Meta) -> ApiResource:
    """Return where a Workspace or InferenceSet is served, in the version in which it was read."""
    return RESOURCES[owner.ref.kind].at(owner.api_version)


def read_written(answer: Json) -> Record:
    """Return the record of an object that the API server returned for one of our writes."""
    kind = kind_of(answer)
    record: Record = _WRITTEN[kind].read(answer, kind)
    return record
