"""A simulated cluster, in which a Workspace is new and all that it refers to is as it should be."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference import WorkloadRef
from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.api.names import DEFAULT_CHART, names
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.gateway.parents import named_gateways
from workspace_ctrl.planning.plan_settings import GatewayChoice, PlanSettings
from workspace_ctrl.planning.resolved_workspace import parse_spec
from workspace_ctrl.records.core_v1 import ConfigMap, Node, parse_node
from workspace_ctrl.records.flux import OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, HTTPRoute, InferencePool, RouteRule
from workspace_ctrl.records.listeners import Listener, RoutesFrom
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import ReferencedWorkload, parse_referenced_workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_UID = "00000000-0000-0000-0000-000000000000"
_VERSION = "1"
_CLASS = "istio"
_CONTROLLER = "istio.io/gateway-controller"


def workspace_record(raw: Mapping[str, Any]) -> WorkspaceRecord:
    """Return the record of the Workspace or InferenceSet `raw`, as if it were new.

    Raises:
        SpecError: its metadata is not that of an object.
    """
    given = _mapping(raw, "metadata", "metadata")
    metadata = {
        "namespace": str(given.get("namespace") or "default"),
        "name": str(given.get("name") or ""),
        "uid": _UID,
        "annotations": {str(key): str(value) for key, value in _mapping(given, "annotations", "metadata.annotations").items()},
    }
    fields = {name: value for name, value in raw.items() if name != "status"}
    return parse_workspace_record({**fields, "metadata": metadata}, kind_of_owner(raw))


def kind_of_owner(raw: Mapping[str, Any]) -> str:
    """Return the kind of an object that is an InferenceSet, or else taken for a Workspace."""
    return SET_KIND if raw.get("kind") == SET_KIND else KIND


def simulated_cluster(
    workspace: WorkspaceRecord, dependencies: Dependencies, others: Sequence[Mapping[str, Any]], settings: PlanSettings
) -> Snapshot:
    """Return a cluster with chart, pool, the Gateways that the Workspace or the settings name, else one, and what it needs of `others`."""
    namespace, name = workspace.key
    spec = _gateway_spec(workspace, settings)
    derived = names(name, chart_name(spec.chart if spec is not None else None, settings))
    choices = named_gateways(namespace, spec) or (settings.gateway or GatewayChoice(namespace, "inference-gateway"),)
    gateways = tuple(_gateway(*key, choices) for key in dict.fromkeys((choice.namespace, choice.name) for choice in choices))
    return Snapshot(
        config_map=_config_map(dependencies.config, namespace, others),
        reference=_reference(dependencies.reference, namespace, others),
        nodes=tuple(_nodes(others)) if dependencies.nodes else (),
        named_route=_named_route(workspace, dependencies, gateways),
        named_pool=InferencePool(Meta(ObjectRef("InferencePool", namespace, dependencies.pool)))
        if spec is not None and spec.pool_ref
        else None,
        source=OCIRepository(
            Meta(ObjectRef("OCIRepository", namespace, derived.source), controller_uid=_UID),
            conditions=(Condition("Ready", Status.TRUE),),
            observed_generation=0,
            revision=settings.chart.version,
        ),
        pool=InferencePool(Meta(ObjectRef("InferencePool", namespace, derived.release))),
        objectives_of_llm_d=True,
        gateways=gateways,
        gateway_classes=(GatewayClass(Meta(ObjectRef("GatewayClass", "", _CLASS)), controller=_CONTROLLER),),
    )


def find_object(others: Sequence[Mapping[str, Any]], kind: str, name: str, namespace: str) -> Mapping[str, Any] | None:
    """Return the object among `others`, as JSON, or None."""
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") != kind or not isinstance(metadata, Mapping):
            continue
        if (str(metadata.get("namespace") or "default"), metadata.get("name")) == (namespace, name):
            return entry
    return None


def _mapping(raw: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = raw.get(name) or {}
    if not isinstance(value, Mapping):
        raise SpecError(path, "must be an object")
    return value


def _config_map(name: str, namespace: str, others: Sequence[Mapping[str, Any]]) -> ConfigMap | None:
    found = find_object(others, "ConfigMap", name, namespace)
    return ConfigMap(Meta(ObjectRef("ConfigMap", namespace, name)), _VERSION) if found else None


def _reference(wanted: WorkloadRef | None, namespace: str, others: Sequence[Mapping[str, Any]]) -> ReferencedWorkload | None:
    found = find_object(others, wanted.kind or "", wanted.name or "", namespace) if wanted else None
    return parse_referenced_workload(found, str(found["kind"])) if found else None


def _named_route(workspace: WorkspaceRecord, dependencies: Dependencies, gateways: Sequence[Gateway]) -> HTTPRoute | None:
    """Return a valid route for gateway.httpRouteRef: attached to the Gateway, and routing to the pool."""
    if not dependencies.route:
        return None
    namespace, name = workspace.key
    return HTTPRoute(
        Meta(ObjectRef("HTTPRoute", namespace, dependencies.route)),
        attached_to=tuple((gateway.ref, "") for gateway in gateways),
        rules=(RouteRule(pools=(dependencies.pool or names(name, dependencies.chart or DEFAULT_CHART).release,)),),
    )


def _nodes(others: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Yield the nodes among `others`; one whose metadata is not an object is ignored."""
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") == "Node" and isinstance(metadata, Mapping):
            labels = metadata.get("labels")
            named = {"name": str(metadata.get("name") or ""), "labels": labels if isinstance(labels, Mapping) else {}}
            yield parse_node({"metadata": named}, "Node")


def _gateway(namespace: str, name: str, choices: Sequence[GatewayChoice]) -> Gateway:
    """Return a Gateway with the named listeners, which accept routes from all namespaces."""
    named = [choice.section for choice in choices if (choice.namespace, choice.name) == (namespace, name) and choice.section]
    listeners = tuple(Listener(section, "HTTP", 80, routes_from=RoutesFrom.ALL) for section in named or ("http",))
    return Gateway(Meta(ObjectRef("Gateway", namespace, name)), class_name=_CLASS, listeners=listeners)


def _gateway_spec(workspace: WorkspaceRecord, settings: PlanSettings) -> GatewaySpec | None:
    try:
        return parse_spec(workspace, settings)[0].gateway
    except SpecError:
        return None  # planning reports the problem
