"""A simulated cluster, in which a Workspace is new and all that it refers to is as it should be."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_spec import WorkloadRef
from workspace_ctrl.api.labels import GROUP, KIND, LABEL_KEY_PATTERN, SET_KIND, is_label
from workspace_ctrl.api.names import DEFAULT_CHART, names
from workspace_ctrl.api.printable_text import excerpt
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
from workspace_ctrl.records.listeners import Listener, ParentReference, RoutesFrom
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import ReferencedWorkload, parse_referenced_workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_UID = "00000000-0000-0000-0000-000000000000"
_VERSION = "1"
DEFAULT_NAMESPACE: Final = "default"
"""Of objects without one."""
_CLASS = "istio"
_DEFAULT_GATEWAY: Final = "inference-gateway"
_CONTROLLER = "istio.io/gateway-controller"
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_QUOTED: Final = 64
"""Characters of a key or a value that are quoted."""


def workspace_record(raw: Mapping[str, Any]) -> WorkspaceRecord:
    """Return the record of the Workspace or InferenceSet `raw`, as if it were new; in the version in which controllers read it.

    Raises:
        SpecError: its metadata is not that of an object.
    """
    given = _mapping(raw, "metadata", "metadata")
    metadata = {
        "namespace": str(given.get("namespace") or DEFAULT_NAMESPACE),
        "name": str(given.get("name") or ""),
        "uid": _UID,
        **{
            name: {str(key): str(value) for key, value in _mapping(given, name, f"metadata.{name}").items()}
            for name in ("annotations", "labels")
        },
    }
    fields = {name: value for name, value in raw.items() if name not in {"apiVersion", "status"}}
    return parse_workspace_record({**fields, "metadata": metadata}, kind_of_owner(raw))


def kind_of_owner(raw: Mapping[str, Any]) -> str:
    """Return the kind of an object that is an InferenceSet, or else taken for a Workspace."""
    return SET_KIND if raw.get("kind") == SET_KIND else KIND


def check_metadata(raw: Mapping[str, Any], versions: tuple[str, ...]) -> None:
    """Check `apiVersion` and metadata of a Workspace as a user has written it; what is missing is not checked.

    `versions` are the served versions.

    Raises:
        SpecError: the API server would reject it.
    """
    given = raw.get("apiVersion")
    if given is not None and given not in [f"{GROUP}/{version}" for version in versions]:  # it may be of any type
        raise SpecError("apiVersion", f"{_short(given)} is not served", f"use {GROUP}/{versions[-1]}")
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return
    if not metadata.get("name") and metadata.get("generateName"):
        raise SpecError("metadata.name", "is needed here; metadata.generateName leaves it to the API server", "set a name")
    namespace = metadata.get("namespace")
    if isinstance(namespace, str) and namespace and not _NAMESPACE.fullmatch(namespace):
        raise SpecError(
            "metadata.namespace", f"{_short(namespace)} is not the name of a namespace", "use lower case letters, digits and -"
        )
    _check_labels(metadata.get("labels"))
    _check_annotations(metadata.get("annotations"))


def simulated_cluster(
    workspace: WorkspaceRecord,
    dependencies: Dependencies,
    others: Sequence[Mapping[str, Any]],
    settings: PlanSettings,
    members: Sequence[WorkspaceRecord] = (),
    *,
    sections: Sequence[GatewayChoice] = (),
) -> Snapshot:
    """Return a cluster with chart, pool, the Gateways that the Workspace or the settings name, else one, and what it needs of `others`.

    It has the Gateways of the `members` of its group as well, since the route of the group is attached to those of the oldest one. The
    Gateways have the listeners that `sections`, the choices of other Workspaces, name.
    """
    namespace, name = workspace.key
    spec = _gateway_spec(workspace, settings)
    derived = names(name, chart_name(spec.chart if spec is not None else None, settings))
    own = _choices(namespace, spec, settings)
    beside = (choice for member in members for choice in _choices(namespace, _gateway_spec(member, settings), settings))
    gateways = _gateways((*own, *beside), sections, _choices(namespace, None, settings)[0], is_named=settings.gateway is not None)
    return Snapshot(
        config_map=_config_map(dependencies.config, namespace, others),
        reference=_reference(dependencies.reference, namespace, others),
        nodes=tuple(_nodes(others)) if dependencies.nodes else (),
        named_route=_named_route(workspace, dependencies, own),
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


def named_sections(workspaces: Iterable[Mapping[str, Any]], settings: PlanSettings) -> tuple[GatewayChoice, ...]:
    """Return each listener that any of `workspaces` names in gateway.parentRefs; those that cannot be read name none."""
    found: dict[GatewayChoice, None] = {}
    for raw in workspaces:
        with suppress(SpecError):  # the verdict reports it
            record = workspace_record(raw)
            choices = named_gateways(record.meta.ref.namespace, _gateway_spec(record, settings))
            found.update(dict.fromkeys(choice for choice in choices if choice.section))
    return tuple(found)


def find_object(others: Sequence[Mapping[str, Any]], kind: str, name: str, namespace: str) -> Mapping[str, Any] | None:
    """Return the object among `others`, as JSON, or None."""
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") != kind or not isinstance(metadata, Mapping):
            continue
        if (str(metadata.get("namespace") or DEFAULT_NAMESPACE), metadata.get("name")) == (namespace, name):
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


def _named_route(workspace: WorkspaceRecord, dependencies: Dependencies, choices: Sequence[GatewayChoice]) -> HTTPRoute | None:
    """Return a valid route for gateway.httpRouteRef: attached to the Gateway, and routing to the pool."""
    if not dependencies.route:
        return None
    namespace, name = workspace.key
    return HTTPRoute(
        Meta(ObjectRef("HTTPRoute", namespace, dependencies.route)),
        attached_to=tuple(
            ParentReference(ObjectRef("Gateway", *key)) for key in dict.fromkeys((each.namespace, each.name) for each in choices)
        ),
        rules=(RouteRule(pools=(dependencies.pool or names(name, dependencies.chart or DEFAULT_CHART).release,)),),
    )


def _nodes(others: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Yield the nodes among `others`; one whose metadata is not an object is ignored."""
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") == "Node" and isinstance(metadata, Mapping):
            labels = metadata.get("labels")
            texts = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
            yield parse_node({"metadata": {"name": str(metadata.get("name") or ""), "labels": texts}}, "Node")


def _choices(namespace: str, spec: GatewaySpec | None, settings: PlanSettings) -> Sequence[GatewayChoice]:
    return named_gateways(namespace, spec) or (settings.gateway or GatewayChoice(namespace, _DEFAULT_GATEWAY),)


def _gateways(
    choices: Sequence[GatewayChoice], sections: Sequence[GatewayChoice], default: GatewayChoice, *, is_named: bool
) -> tuple[Gateway, ...]:
    """Return the Gateways that are chosen; the default has the label of one, unless the settings name it."""
    keys = dict.fromkeys((choice.namespace, choice.name) for choice in choices)
    labelled = None if is_named else (default.namespace, default.name)
    return tuple(replace(_gateway(*key, (*choices, *sections)), preferred=key == labelled) for key in keys)


def _gateway(namespace: str, name: str, choices: Sequence[GatewayChoice]) -> Gateway:
    """Return a Gateway with the named listeners, which accept routes from all namespaces."""
    named = dict.fromkeys(
        choice.section for choice in choices if (choice.namespace, choice.name) == (namespace, name) and choice.section
    )
    listeners = tuple(Listener(section, "HTTP", 80, routes_from=RoutesFrom.ALL) for section in named or ("http",))
    return Gateway(Meta(ObjectRef("Gateway", namespace, name)), class_name=_CLASS, listeners=listeners)


def _gateway_spec(workspace: WorkspaceRecord, settings: PlanSettings) -> GatewaySpec | None:
    try:
        return parse_spec(workspace, settings)[0].gateway
    except SpecError:
        return None  # planning reports the problem


def _check_labels(labels: object) -> None:
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        if not is_label(str(key), value):
            problem = f"{_short(key)}: {_short(value)} is not a valid label"
            raise SpecError(
                "metadata.labels", problem, "use at most 63 letters, digits, -, _ and . in key and value, and quote numbers"
            )


def _check_annotations(annotations: object) -> None:
    for key, value in annotations.items() if isinstance(annotations, Mapping) else ():
        if not re.fullmatch(LABEL_KEY_PATTERN, str(key)):
            raise SpecError(
                "metadata.annotations", f"{_short(key)} is not a valid key", "use at most 63 letters, digits, -, _ and ."
            )
        if not isinstance(value, str):
            raise SpecError("metadata.annotations", f"{_short(key)} must be a text", "put its value into quotes")


def _short(value: object) -> str:
    return excerpt(str(value), _QUOTED)
