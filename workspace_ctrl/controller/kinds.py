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
    PLURAL,
    POD_LABEL,
    STORAGE_VERSION,
)
from workspace_ctrl.kube.resources import Json, Resource
from workspace_ctrl.records import cluster, flux, gateways, pods, workloads, workspaces
from workspace_ctrl.records.meta import Meta

WORKSPACE: Final = Resource(GROUP, STORAGE_VERSION, PLURAL, KIND)
DEPLOYMENT: Final = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SET: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
CLAIM: Final = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
CONFIG_MAP: Final = Resource("", "v1", "configmaps", "ConfigMap")
NODE: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
SERVICE: Final = Resource("", "v1", "services", "Service")
POD: Final = Resource("", "v1", "pods", "Pod")
OCI_REPOSITORY: Final = Resource("source.toolkit.fluxcd.io", "v1", "ocirepositories", "OCIRepository")
HELM_RELEASE: Final = Resource("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")
GATEWAY: Final = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
GATEWAY_CLASS: Final = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
HTTP_ROUTE: Final = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
INFERENCE_POOL: Final = Resource("inference.networking.k8s.io", "v1", "inferencepools", "InferencePool")


OURS: Final = f"{OWNER_LABEL},{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Selects what we apply ourselves, without what the chart makes."""
GATEWAY_PROXY: Final = "GatewayProxy"
"""Name of the store of Gateways' own Deployments."""


@dataclass(frozen=True)
class WatchedKind:
    """One row: a kind, and how we watch it."""

    resource: Resource
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

    @property
    def store(self) -> str:
        """Name of the records' store."""
        return self.name or self.resource.kind

    @property
    def concerns_all(self) -> bool:
        """Whether a change concerns all Workspaces."""
        return self.workspace_of is None and not self.on_interest


def _by_owner_label(record: Any) -> str:  # noqa: ANN401
    meta: Meta = record.meta
    return meta.workspace


def _by_pod_label(pod: pods.Pod) -> str:
    return pod.labels.get(POD_LABEL, "")


def _itself(record: workspaces.WorkspaceRecord) -> str:
    return record.meta.ref.name


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
    WatchedKind(CONFIG_MAP, cluster.parse_config_map, f"!{OWNER_LABEL}", on_interest=True, metadata_only=True),
    WatchedKind(NODE, cluster.parse_node, on_interest=True, metadata_only=True),
    WatchedKind(DEPLOYMENT, gateways.parse_gateway_proxy, GATEWAY_NAME_LABEL, name=GATEWAY_PROXY),
)

GATEWAY_SIDE: Final = frozenset(
    resource.kind for resource in (OCI_REPOSITORY, HELM_RELEASE, HTTP_ROUTE, INFERENCE_POOL, GATEWAY, GATEWAY_CLASS)
)
"""Kinds that only the feature gate gatewayAPIInferenceExtension needs."""

BY_KIND: Final = {watched.resource.kind: watched for watched in WATCHED if not watched.name}
