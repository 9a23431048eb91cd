"""Preview without a cluster: the normal planning, against a simulated cluster in which every step succeeds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.names import DEFAULT_CHART, names
from workspace_ctrl.api.workspace import GatewaySpec, parse_workspace
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.model.decisions import Decisions, LinkName
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.query_results import ConfigContent, DryRun, QueryResults, ScaleSelector
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.gateway.body_router import router_release, router_source
from workspace_ctrl.planning.gateway.parents import named_gateways
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.plan import Planned, plan
from workspace_ctrl.planning.resolve import resolve
from workspace_ctrl.planning.settings import GatewayChoice, PlanSettings
from workspace_ctrl.planning.steps import Apply, DryRunWorkload, Query, ReadConfig, ReadScale
from workspace_ctrl.planning.workload.vllm_config import CONFIG_KEY
from workspace_ctrl.records.core import ConfigMap, Node, parse_node
from workspace_ctrl.records.flux import OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, HTTPRoute, InferencePool, RouteRule
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import parse_referenced_workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_UID = "00000000-0000-0000-0000-000000000000"
_VERSION = "1"
_CLASS = "istio"
_CONTROLLER = "istio.io/gateway-controller"


@dataclass(frozen=True, slots=True)
class Preview:
    """The objects that would be created for a Workspace, in the order of their creation."""

    manifests: tuple[Manifest, ...]
    planned: Planned
    """What planning leads to in the simulated cluster."""
    assumptions: tuple[str, ...]
    """Assumptions that only a cluster can confirm."""

    @property
    def decisions(self) -> Decisions:
        """The decisions of planning."""
        return self.planned.decisions


def preview(raw: Mapping[str, Any], others: Sequence[Mapping[str, Any]], settings: PlanSettings) -> Preview:
    """Return the preview of the Workspace `raw` in a cluster that has the objects `others`, such as its ConfigMap.

    Raises:
        SpecError: the Workspace would be rejected.
    """
    found = foresee(workspace_record(raw), others, settings)
    problem = found.decisions.problem(LinkName.SPEC, LinkName.WORKLOAD)
    if problem is not None:
        raise SpecError("", problem.message)
    return found


def foresee(
    workspace: WorkspaceRecord, others: Sequence[Mapping[str, Any]], settings: PlanSettings, *, reference_problem: str = ""
) -> Preview:
    """Return the preview as far as planning gets; its decisions have the problems.

    `reference_problem` is why a referenced workload that is not among `others` cannot be read; empty if it does not exist.
    """
    resolved = resolve(workspace, settings)
    world = _with_others(_world(workspace, settings), resolved.dependencies, workspace, others)
    if resolved.dependencies.reference is not None and world.reference is None:
        world = replace(world, reference_problem=reference_problem)
    outcome = plan(workspace, world, settings)
    for _ in (ReadConfig | ReadScale, DryRunWorkload):  # what planning may ask, in this order
        if not outcome.queries:
            break
        for query in outcome.queries:
            world = replace(world, query_results=_answered(world.query_results, query, others))
        outcome = plan(workspace, world, settings)
    # The HelmRelease follows once the chart is fetched.
    after = plan(workspace, _with_fetched_chart(world, outcome), settings)
    return Preview(_manifests(outcome, after), after, _assumptions(after.decisions))


def workspace_record(raw: Mapping[str, Any]) -> WorkspaceRecord:
    """Return the record of the Workspace `raw`, as if it were new.

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
    return parse_workspace_record({**fields, "metadata": metadata}, KIND)


def _mapping(raw: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = raw.get(name) or {}
    if not isinstance(value, Mapping):
        raise SpecError(path, "must be an object")
    return value


def preview_body_routers(previews: Iterable[Preview], settings: PlanSettings) -> dict[ObjectRef, tuple[Manifest, ...]]:
    """Return the objects of the body-based routers that the Workspaces would share, by Gateway; none if the settings disable them."""
    if not settings.manages_body_routers:
        return {}
    led_by_header = (entry.decisions for entry in previews if entry.decisions.wants_header)
    parents = {parent.gateway.ref: parent for decisions in led_by_header for parent in decisions.parents}
    return {
        ref: (
            router_source(ref, settings.body_routing),
            router_release(ref, find_profile(parent.controller).chart_provider, settings.body_routing),
        )
        for ref, parent in parents.items()
    }


def _with_fetched_chart(world: Snapshot, outcome: Planned) -> Snapshot:
    """Return `world` after Flux has fetched the chart of `outcome`."""
    asked = next((step.manifest for step in outcome.steps if isinstance(step, Apply) and step.link is LinkName.SOURCE), None)
    if asked is None or world.source is None:
        return world
    return replace(world, source=replace(world.source, meta=replace(world.source.meta, applied_hash=applied_hash(asked))))


def _manifests(*outcomes: Planned) -> tuple[Manifest, ...]:
    """Return the manifests that the outcomes apply, each object once, in the order of the chain."""
    applied = {ref_of(step.manifest): step for outcome in outcomes for step in outcome.steps if isinstance(step, Apply)}
    chain = list(LinkName)
    return tuple(step.manifest for step in sorted(applied.values(), key=lambda step: chain.index(step.link)))


def _with_others(
    world: Snapshot, interests: Dependencies, workspace: WorkspaceRecord, others: Sequence[Mapping[str, Any]]
) -> Snapshot:
    """Return `world` with those of `others` on which the plan depends."""
    namespace = workspace.key[0]
    config = _find(others, "ConfigMap", interests.config, namespace)
    reference = interests.reference
    referenced = _find(others, reference.kind or "", reference.name or "", namespace) if reference else None
    return replace(
        world,
        config_map=ConfigMap(Meta(ObjectRef("ConfigMap", namespace, interests.config)), _VERSION) if config else None,
        reference=parse_referenced_workload(referenced, str(referenced["kind"])) if referenced else None,
        nodes=tuple(_nodes(others)) if interests.nodes else (),
        named_route=_named_route(world, interests, workspace),
        named_pool=InferencePool(Meta(ObjectRef("InferencePool", namespace, interests.pool))) if interests.pool else None,
    )


def _named_route(world: Snapshot, interests: Dependencies, workspace: WorkspaceRecord) -> HTTPRoute | None:
    """Return a valid route for gateway.httpRouteRef: attached to the Gateway, and routing to the pool."""
    if not interests.route:
        return None
    namespace, name = workspace.key
    return HTTPRoute(
        Meta(ObjectRef("HTTPRoute", namespace, interests.route)),
        attached_to=tuple((gateway.ref, "") for gateway in world.gateways),
        rules=(RouteRule(pools=(interests.pool or names(name, interests.chart or DEFAULT_CHART).release,)),),
    )


def _nodes(others: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Yield the nodes among `others`; one whose metadata is not an object is ignored."""
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") == "Node" and isinstance(metadata, Mapping):
            labels = metadata.get("labels")
            named = {"name": str(metadata.get("name") or ""), "labels": labels if isinstance(labels, Mapping) else {}}
            yield parse_node({"metadata": named}, "Node")


def _find(others: Sequence[Mapping[str, Any]], kind: str, name: str, namespace: str) -> Mapping[str, Any] | None:
    for entry in others:
        metadata = entry.get("metadata")
        if entry.get("kind") != kind or not isinstance(metadata, Mapping):
            continue
        if (str(metadata.get("namespace") or "default"), metadata.get("name")) == (namespace, name):
            return entry
    return None


def _answered(query_results: QueryResults, query: Query, others: Sequence[Mapping[str, Any]]) -> QueryResults:
    """Return `query_results` with the API server's simulated answer to `query`."""
    match query:
        case DryRunWorkload(manifest):
            return replace(query_results, dry_run=DryRun(applied_hash(manifest), kind=manifest["kind"]))
        case ReadConfig(ref, version):
            found = _find(others, "ConfigMap", ref.name, ref.namespace) or {}
            data = found.get("data")
            text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
            return replace(query_results, config=ConfigContent(ref.name, version, text if isinstance(text, str) else None))
        case ReadScale(_, uid):
            return replace(query_results, scale=ScaleSelector(uid))


def _assumptions(decisions: Decisions) -> tuple[str, ...]:
    said = [] if decisions.reference else [f"the API server accepts the workload as a {decisions.workload_kind}"]
    said.extend(f"{parent.gateway.ref} exists, with a GatewayClass of {parent.class_title}" for parent in decisions.parents)
    said.extend(f"{ref} exists and is valid" for ref in (decisions.named_route, decisions.named_pool) if ref is not None)
    return tuple(said)


def _world(workspace: WorkspaceRecord, settings: PlanSettings) -> Snapshot:
    """Return a simulated cluster with chart, pool, and the Gateway that the Workspace or the settings name, else one Gateway."""
    namespace, name = workspace.key
    spec = _gateway_spec(workspace)
    derived = names(name, chart_name(spec.chart if spec is not None else None, settings))
    choices = named_gateways(namespace, spec) or (settings.gateway or GatewayChoice(namespace, "inference-gateway"),)
    return Snapshot(
        source=OCIRepository(
            Meta(ObjectRef("OCIRepository", namespace, derived.source), controller_uid=_UID),
            conditions=(Condition("Ready", Status.TRUE),),
            observed_generation=0,
            revision=settings.chart.version,
        ),
        pool=InferencePool(Meta(ObjectRef("InferencePool", namespace, derived.release))),
        gateways=tuple(_gateway(*key, choices) for key in dict.fromkeys((choice.namespace, choice.name) for choice in choices)),
        gateway_classes=(GatewayClass(Meta(ObjectRef("GatewayClass", "", _CLASS)), controller=_CONTROLLER),),
    )


def _gateway(namespace: str, name: str, choices: Sequence[GatewayChoice]) -> Gateway:
    """Return a Gateway with the named listeners, which accept routes from all namespaces."""
    named = [choice.section for choice in choices if (choice.namespace, choice.name) == (namespace, name) and choice.section]
    listeners = tuple(Listener(section, "HTTP", 80, routes_from="All") for section in named or ("http",))
    return Gateway(Meta(ObjectRef("Gateway", namespace, name)), class_name=_CLASS, listeners=listeners)


def _gateway_spec(workspace: WorkspaceRecord) -> GatewaySpec | None:
    try:
        return parse_workspace(workspace.meta.ref.name, workspace.fields()).gateway
    except SpecError:
        return None  # planning reports the problem
