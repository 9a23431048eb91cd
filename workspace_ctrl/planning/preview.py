"""Preview without a cluster: the normal planning, against a simulated cluster in which every step succeeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.model.api_query_results import ConfigContent, DryRun, QueryResults, ScaleSelector
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.plan_decisions import Decisions, LinkName
from workspace_ctrl.model.route_claims import NOTHING_TAKEN, TakenClaims
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.gateway.body_router import router_release, router_source
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.plan import Planned, plan
from workspace_ctrl.planning.plan_settings import GatewayChoice, PlanSettings
from workspace_ctrl.planning.preset.vllm_config import CONFIG_KEY
from workspace_ctrl.planning.preview_cluster import find_object, simulated_cluster, workspace_record
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.planning.steps import Apply, DryRunWorkload, Query, ReadConfig, ReadScale
from workspace_ctrl.planning.traffic.preview_group import simulated_groups
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the other Workspaces of a simulated cluster mean for the routes of one."""

    sections: tuple[GatewayChoice, ...] = ()
    """The listeners that they name."""
    taken: TakenClaims = NOTHING_TAKEN
    """As in `Snapshot`."""


ALONE: Final = Neighbours()


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
    workspace: WorkspaceRecord,
    others: Sequence[Mapping[str, Any]],
    settings: PlanSettings,
    *,
    reference_problem: str = "",
    hub_answer: HubAnswer | None = None,
    neighbours: Neighbours = ALONE,
) -> Preview:
    """Return the preview as far as planning gets; its decisions have the problems.

    `reference_problem` is why a referenced workload that is not among `others` cannot be read; empty if it does not exist. `hub_answer` is
    what the model hub has answered about the model. `neighbours` tells of the Workspaces among `others`.
    """
    resolved = resolve(workspace, settings)
    groups = simulated_groups(workspace, others, settings)
    members = [member.workspace for group in groups for member in group.members]
    cluster = simulated_cluster(workspace, resolved.dependencies, others, settings, members, sections=neighbours.sections)
    world = replace(cluster, hub_answer=hub_answer, groups=groups, taken=neighbours.taken)
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
    adapters = bool(resolved.spec is not None and resolved.spec.inference is not None and resolved.spec.inference.adapters)
    return Preview(_manifests(outcome, after), after, _assumptions(after.decisions, neighbours.taken.holders, adapters=adapters))


def preview_body_routers(previews: Iterable[Preview], settings: PlanSettings) -> dict[ObjectRef, tuple[Manifest, ...]]:
    """Return the objects of the body-based routers that the Workspaces would share, by Gateway; none if the settings disable them."""
    if not settings.manages_body_routers:
        return {}
    led_by_header = (entry.decisions for entry in previews if entry.decisions.wants_header)
    parents = {parent.gateway.ref: parent for decisions in led_by_header for parent in decisions.parents}
    return {
        ref: (
            router_source(ref, settings.body_routing),
            router_release(ref, settings.profile_of(parent.controller).chart_provider, settings.body_routing),
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


def _answered(query_results: QueryResults, query: Query, others: Sequence[Mapping[str, Any]]) -> QueryResults:
    """Return `query_results` with the API server's simulated answer to `query`."""
    match query:
        case DryRunWorkload(manifest):
            return replace(query_results, dry_run=DryRun(applied_hash(manifest), kind=manifest["kind"]))
        case ReadConfig(ref, version):
            found = find_object(others, "ConfigMap", ref.name, ref.namespace) or {}
            data = found.get("data")
            text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
            return replace(query_results, config=ConfigContent(ref.name, version, text if isinstance(text, str) else None))
        case ReadScale(_, uid):
            return replace(query_results, scale=ScaleSelector(uid))


def _assumptions(decisions: Decisions, holders: Sequence[str], *, adapters: bool) -> tuple[str, ...]:
    said = [] if decisions.reference else [f"the API server accepts the workload as a {decisions.workload_kind}"]
    if decisions.assumed:
        said.append(decisions.assumed)
    said.extend(f"{parent.gateway.ref} exists, with a GatewayClass of {parent.class_title}" for parent in decisions.parents)
    if decisions.scaling is not None:
        said.append("KEDA is installed, and the controller's setting autoscaling.enabled is on")
    said.extend(f"{ref} exists and is valid" for ref in (decisions.named_route, decisions.named_pool) if ref is not None)
    if holders:
        said.append(
            f"it is not created before {', '.join(holders)}; the one that is created first gets the requests that both want"
        )
    if adapters:
        said.append("no adapter has a rank above 16, or inference.config sets max-lora-rank")
    return tuple(said)
