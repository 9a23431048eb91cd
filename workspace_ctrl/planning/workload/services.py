"""Who reaches the model server inside the cluster: Services for clients without a Gateway, and on several nodes a NetworkPolicy.

Ray, and the distributed executors of vLLM, have no authentication: whoever reaches their ports runs code in the pods. So only pods of the
same Workspace reach them, and the port that serves requests stays open. Pods on one node have no such ports, and get no policy.
"""

from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.labels import (
    INFERENCE_PORT,
    LOAD_BALANCER_ANNOTATION,
    POD_LABEL,
    SERVICE_PORT,
)
from workspace_ctrl.api.names import Names
from workspace_ctrl.planning.chart.flux_objects import pool_selector
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.workspaces import WorkspaceRecord

NETWORK_POLICY: Final = "NetworkPolicy"


def service(
    owner: Meta, names: Names, selector: Mapping[str, str], *, port: int = INFERENCE_PORT, public: bool = False
) -> Manifest:
    """Return the Service of the pods that serve requests; `public` makes it type LoadBalancer."""
    spec: dict[str, Any] = {
        "selector": dict(selector),
        "ports": [{"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": port}],
    }
    if public:
        spec["type"] = "LoadBalancer"
    return owned("v1", "Service", names.service, owner, {"spec": spec})


def service_of(workspace: WorkspaceRecord, names: Names, workload_kind: str) -> Manifest:
    """Return the Service of the pods of a preset that serve requests, of a workload of that kind."""
    return service(workspace.meta, names, pool_selector(names.workspace, workload_kind), public=is_public(workspace))


def between_pods(owner: Meta, names: Names, ports: Mapping[str, int]) -> tuple[Manifest, Manifest]:
    """Return the objects for the `ports` between the pods of a model on several nodes."""
    return headless_service(owner, names, ports), network_policy(owner, names)


def is_public(workspace: WorkspaceRecord) -> bool:
    """Whether the annotations of `workspace` ask for a Service of type LoadBalancer."""
    return workspace.annotations.get(LOAD_BALANCER_ANNOTATION) == "True"


def headless_service(owner: Meta, names: Names, ports: Mapping[str, int]) -> Manifest:
    """Return the headless Service that gives each pod of a StatefulSet a DNS name, with the `ports` between the pods.

    The names must resolve before the pods are ready, because the pods need them to find each other and become ready.
    """
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {POD_LABEL: names.workspace},
        "ports": [{"name": name, "protocol": "TCP", "port": port, "targetPort": port} for name, port in ports.items()],
    }
    return owned("v1", "Service", names.headless_service, owner, {"spec": spec})


def network_policy(owner: Meta, names: Names) -> Manifest:
    """Return the NetworkPolicy of the pods of a StatefulSet."""
    pods = {"matchLabels": {POD_LABEL: names.workspace}}
    spec = {
        "podSelector": pods,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": pods}]}, {"ports": [{"protocol": "TCP", "port": INFERENCE_PORT}]}],
    }
    return owned("networking.k8s.io/v1", NETWORK_POLICY, names.workload, owner, {"spec": spec})
