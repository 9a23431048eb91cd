"""What a Workspace would become, without a cluster: the same planning, in a world in which all goes well."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.names import DEFAULT_CHART, names
from workspace_ctrl.api.workspace import GatewaySpec, parse_workspace
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.planning.body_routers import router_release, router_source
from workspace_ctrl.planning.chart_source import chart_name
from workspace_ctrl.planning.engine_config import CONFIG_KEY
from workspace_ctrl.planning.gateways import named_gateways
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.prepared import Plan
from workspace_ctrl.planning.settings import GatewayChoice, PlanSettings
from workspace_ctrl.planning.steps import Apply, Interests, ReadConfig, ReadScale, Step, TryWorkload
from workspace_ctrl.records.answers import Answers, ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.records.cluster import ConfigMap, Node, parse_node
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.flux import OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, HTTPRoute, InferencePool, RouteRule
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workloads import parse_referenced_workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_UID = "00000000-0000-0000-0000-000000000000"
_VERSION = "1"
_MOST_QUESTIONS = 6
_CLASS = "istio"
_CONTROLLER = "istio.io/gateway-controller"


@dataclass(frozen=True, slots=True)
class Preview:
    """The objects that a Workspace would become, in the order of their creation."""

    manifests: tuple[Manifest, ...]
    decisions: Decisions
    assumptions: tuple[str, ...]
    """What a cluster would have to confirm."""


def preview(raw: Mapping[str, Any], others: Sequence[Mapping[str, Any]], settings: PlanSettings) -> Preview:
    """Return what the Workspace `raw` would become in a cluster that has the objects `others`, such as its ConfigMap.

    Raises:
        SpecError: it would be refused.
    """
    found = foresee(raw, others, settings)
    problem = found.decisions.problem(LinkName.SPEC, LinkName.WORKLOAD)
    if problem is not None:
        raise SpecError("", problem.message)
    return found


def foresee(raw: Mapping[str, Any], others: Sequence[Mapping[str, Any]], settings: PlanSettings) -> Preview:
    """Return the same, as far as it gets, with what is wrong among its decisions' problems.

    Raises:
        SpecError: `raw` is no object of Kubernetes.
    """
    workspace = _record(raw)
    world = _world(workspace, settings)
    outcome = plan(workspace, world, settings)
    world = _with_others(world, outcome.interests, workspace, others)
    for _ in range(_MOST_QUESTIONS):
        outcome = plan(workspace, world, settings)
        if not outcome.asks:
            break
        for step in outcome.steps:
            world = replace(world, answers=_answered(world.answers, step, others))
    # The release follows the fetched chart.
    after = plan(workspace, _with_fetched_chart(world, outcome), settings)
    return Preview(_manifests(outcome, after), after.decisions, _assumptions(after.decisions))


def preview_body_routers(previews: Iterable[Preview], settings: PlanSettings) -> dict[ObjectRef, tuple[Manifest, ...]]:
    """Return the objects of the body-based routers that Workspaces would share, by Gateway; none where the settings want none."""
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


def _with_fetched_chart(world: Snapshot, outcome: Plan) -> Snapshot:
    """Return the world in which Flux has fetched the chart that `outcome` asks for."""
    asked = next((step.manifest for step in outcome.steps if isinstance(step, Apply) and step.link is LinkName.SOURCE), None)
    if asked is None or world.source is None:
        return world
    return replace(world, source=replace(world.source, meta=replace(world.source.meta, applied_hash=applied_hash(asked))))


def _manifests(*outcomes: Plan) -> tuple[Manifest, ...]:
    """Return what the outcomes apply, each object once, in the order of the chain."""
    applied = {ref_of(step.manifest): step for outcome in outcomes for step in outcome.steps if isinstance(step, Apply)}
    chain = list(LinkName)
    return tuple(step.manifest for step in sorted(applied.values(), key=lambda step: chain.index(step.link)))


def _with_others(
    world: Snapshot, interests: Interests, workspace: WorkspaceRecord, others: Sequence[Mapping[str, Any]]
) -> Snapshot:
    """Return the world with those of `others` on which the plan depends."""
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


def _named_route(world: Snapshot, interests: Interests, workspace: WorkspaceRecord) -> HTTPRoute | None:
    """Return the route that the Workspace names as it should be: behind the Gateway, and leading to the pool."""
    if not interests.route:
        return None
    namespace, name = workspace.key
    return HTTPRoute(
        Meta(ObjectRef("HTTPRoute", namespace, interests.route)),
        attached_to=tuple((gateway.ref, "") for gateway in world.gateways),
        rules=(RouteRule(pools=(interests.pool or names(name, interests.chart or DEFAULT_CHART).release,)),),
    )


def _nodes(others: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Yield the nodes among `others`; of one whose metadata is no object nothing can be known."""
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


def _answered(answers: Answers, step: Step, others: Sequence[Mapping[str, Any]]) -> Answers:
    """Return the answers with what the API server would say to the question `step`."""
    match step:
        case TryWorkload(manifest):
            return replace(answers, dry_run=DryRun(applied_hash(manifest), kind=manifest["kind"]))
        case ReadConfig(ref, version):
            found = _find(others, "ConfigMap", ref.name, ref.namespace) or {}
            data = found.get("data")
            text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
            return replace(answers, config=ConfigContent(ref.name, version, text if isinstance(text, str) else None))
        case ReadScale(_, uid):
            return replace(answers, scale=ScaleSelector(uid))
    return answers


def _record(raw: Mapping[str, Any]) -> WorkspaceRecord:
    given = _mapping(raw, "metadata", "metadata")
    metadata = {
        "namespace": str(given.get("namespace") or "default"),
        "name": str(given.get("name") or ""),
        "uid": _UID,
        "annotations": {str(key): str(value) for key, value in _mapping(given, "annotations", "metadata.annotations").items()},
    }
    asked = {name: value for name, value in raw.items() if name != "status"}
    return parse_workspace_record({**asked, "metadata": metadata}, KIND)


def _mapping(raw: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = raw.get(name) or {}
    if not isinstance(value, Mapping):
        raise SpecError(path, "is not an object")
    return value


def _assumptions(decisions: Decisions) -> tuple[str, ...]:
    said = [] if decisions.reference else [f"the API server accepts the workload as {decisions.workload_kind}"]
    said.extend(f"{parent.gateway.ref} is there, and its GatewayClass is {parent.class_title}'s" for parent in decisions.parents)
    said.extend(f"{ref} is there, as it should be" for ref in (decisions.named_route, decisions.named_pool) if ref is not None)
    return tuple(said)


def _world(workspace: WorkspaceRecord, settings: PlanSettings) -> Snapshot:
    """Return a world in which chart and pool are there, and the Gateway that the Workspace or the installation names, or the only one."""
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
    """Return a Gateway with the listeners that are named, each of which admits everybody."""
    named = [choice.section for choice in choices if (choice.namespace, choice.name) == (namespace, name) and choice.section]
    listeners = tuple(Listener(section, "HTTP", 80, routes_from="All") for section in named or ("http",))
    return Gateway(Meta(ObjectRef("Gateway", namespace, name)), class_name=_CLASS, listeners=listeners)


def _gateway_spec(workspace: WorkspaceRecord) -> GatewaySpec | None:
    try:
        return parse_workspace(workspace.meta.ref.name, workspace.fields()).gateway
    except SpecError:
        return None  # planning says what is wrong
