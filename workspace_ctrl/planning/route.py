"""The HTTPRoute: a path of the Gateway that leads to the Workspace's InferencePool."""

from typing import Any

from workspace_ctrl.api.names import Names
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.records.decisions import Parent
from workspace_ctrl.records.meta import Meta


def path_of(namespace: str, workspace: str) -> str:
    """Return the path prefix of a Workspace: unique in the cluster, so that Workspaces never hide each other."""
    return f"/{namespace}/{workspace}"


def http_route(owner: Meta, names: Names, parent: Parent, settings: PlanSettings) -> Manifest:
    """Return the HTTPRoute that attaches the pool to `parent`."""
    reference: dict[str, Any] = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": parent.gateway.ref.namespace,
        "name": parent.gateway.ref.name,
    }
    if parent.section:
        reference["sectionName"] = parent.section
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path_of(owner.ref.namespace, names.workspace)}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}],
        "backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": names.release}],
        "timeouts": {"request": settings.request_timeout},
    }
    return owned(
        "gateway.networking.k8s.io/v1", "HTTPRoute", names.route, owner, {"spec": {"parentRefs": [reference], "rules": [rule]}}
    )
