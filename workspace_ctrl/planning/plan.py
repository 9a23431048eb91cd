"""From the desired state of a Workspace and the observed objects to the next steps.

Planning is level-triggered: it depends on the current state, not on events, and can be done at any time. An object that is up to date
yields no step, so a pass over a finished Workspace writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from workspace_ctrl.api.names import is_valid, names
from workspace_ctrl.model.plan_decisions import Decisions, EvictionLimit, LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.autoscaling.autoscaling_steps import plan_autoscaling, scaling_of, zero_without_effect
from workspace_ctrl.planning.chart.chart_steps import WantedChart, plan_chart, plan_retirement, pool_values
from workspace_ctrl.planning.desired_serving import DesiredServing
from workspace_ctrl.planning.desired_state import Desired, desire
from workspace_ctrl.planning.gateway.kthena_objects import WantedCompanion, plan_companion
from workspace_ctrl.planning.gateway.missing_crds import missing_kind_problems, missing_pool_problem
from workspace_ctrl.planning.gateway.objectives import EVERY_GROUP, WantedObjectives, groups_of, plan_objectives
from workspace_ctrl.planning.gateway.route_steps import RoutedPool, WantedRoute, check_named_route, plan_route
from workspace_ctrl.planning.plan_builder import PlanBuilder, hold_behind, pods_without_plan
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.removal import removal_steps, terminating_steps
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.planning.steps import DryRunWorkload, Query, Step
from workspace_ctrl.planning.traffic.group_steps import plan_groups
from workspace_ctrl.planning.workload.planned_server import PlannedServer
from workspace_ctrl.planning.workload.workload_steps import (
    ObservedBudgets,
    accepted_kind,
    chosen_replicas,
    dry_run,
    existing_copies,
    has_wanted_pods,
    plan_budget,
    plan_workload,
    waiting_copies,
)
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps, in order, and the decisions behind them."""

    decisions: Decisions
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A plan that depends on whether the API server accepts the workload, and as which kind; it is made again with the answer."""

    dry_run: DryRunWorkload


def make_plan(desired: Desired, snapshot: Snapshot) -> Plan | Pending:
    """Return the steps from the objects of `snapshot` to the desired state, or the dry-run that has to come before."""
    workspace, serving = desired.workspace, desired.serving
    if snapshot.namespace is not None and snapshot.namespace.meta.deleting:
        workloads = () if desired.settings.is_companion else tuple(workload.meta for workload in snapshot.workloads)
        return Plan(_terminating(desired), terminating_steps(workspace, snapshot.route, snapshot.chart, workloads))
    grouped = partial(plan_groups, desired.groups, workspace, snapshot.taken.groups, snapshot.accepted_drift, snapshot.canary_count)
    removal = partial(removal_steps, workspace, snapshot.route, snapshot.chart)
    if workspace.meta.deleting:
        return Plan(Decisions(), (*grouped().steps, *removal()))
    if serving is None or desired.planned is None:
        group = grouped(has_wanted_pods=False)
        steps = () if desired.resolved.gateway_wanted else removal()
        decisions = _without_server(desired)
        problems = (*decisions.problems, *group.problems)
        return Plan(replace(decisions, group=group.decision, problems=problems), (*desired.look_ups, *group.steps, *steps))
    hold = hold_behind(workspace, snapshot.query_results.config, serving.route.chosen.parents, desired.settings)
    draft = PlanBuilder(workspace, desired.planned, {meta.ref: meta for meta in snapshot.metas()}, snapshot.accepted_drift, hold)
    query = _dry_run(draft, serving, snapshot)
    if query is not None:
        return Pending(query)
    group = grouped(has_wanted_pods=has_wanted_pods(draft, serving.server, snapshot.workloads))
    decisions = _plan_serving(draft, desired, serving, snapshot)
    if not desired.resolved.gateway_wanted:
        _plan_objectives(draft, serving, snapshot, desired.settings)
        plan_companion(draft, None, snapshot.companion, snapshot.companion_problem)
        draft.steps.extend((*group.steps, *removal()))
        return Plan(draft.decided(decisions, gateway_wanted=False), (*desired.look_ups, *draft.steps))
    decisions = draft.decided(decisions, gateway_wanted=True)
    problems = (*decisions.problems, *group.problems)
    return Plan(replace(decisions, group=group.decision, problems=problems), (*desired.look_ups, *draft.steps, *group.steps))


@dataclass(frozen=True, slots=True)
class Planned:
    """What a Workspace leads to in one state of the cluster: the pipeline from the spec to the steps, in one value."""

    desired: Desired
    decisions: Decisions
    steps: tuple[Query | Step, ...] = ()
    """The queries, where the API server has to be asked before there is more of a plan, and the other steps."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """The queries among the steps."""
        return tuple(step for step in self.steps if isinstance(step, Query))


def plan(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: PlannedServer | None = None) -> Planned:
    """Return what `workspace` leads to in the cluster of `snapshot`; `known` is the model server of an earlier desired state."""
    desired = desire(resolve(workspace, settings), workspace, snapshot, settings, known)
    outcome = make_plan(desired, snapshot)
    if isinstance(outcome, Pending):
        return Planned(desired, _without_kind(desired), (outcome.dry_run,))
    return Planned(desired, outcome.decisions, (*desired.queries, *outcome.steps))


def _terminating(desired: Desired) -> Decisions:
    """Return the decisions for a Workspace whose namespace is being deleted: nothing in it is created or repaired any more."""
    message = f"namespace {desired.workspace.meta.ref.namespace} is being deleted"
    problem = Problem(LinkName.SPEC, "NamespaceTerminating", message)
    return Decisions(gateway_wanted=desired.resolved.gateway_wanted, notes=desired.notes, problems=(problem,))


def _without_server(desired: Desired) -> Decisions:
    """Return the decisions for a Workspace without a workload: its spec has a problem, or a query has to be answered first."""
    name = desired.workspace.meta.ref.name
    return Decisions(
        gateway_wanted=desired.resolved.gateway_wanted,
        names=names(name) if is_valid(name) else None,
        notes=desired.notes,
        pods=pods_without_plan(desired.workspace, desired.settings),
        problems=(desired.problem,) if desired.problem is not None else (),
    )


def _without_kind(desired: Desired) -> Decisions:
    """Return the decisions for a Workspace whose workload the API server has not accepted."""
    serving = desired.serving
    if serving is None:
        return _without_server(desired)
    return Decisions(
        gateway_wanted=desired.resolved.gateway_wanted,
        pods=pods_without_plan(desired.workspace, desired.settings),
        names=serving.names,
        model_names=serving.model_names,
        objectives=tuple(serving.objectives),
        node_count=serving.server.node_count,
        inference_set=desired.workspace.meta.ref if serving.server.replicas is not None else None,
        replicas=serving.server.replicas,
        copies=serving.server.copy_refs,
        sizing=serving.server.sizing,
        assumed=serving.server.assumed,
        notes=desired.notes,
        reference=serving.server.reference,
    )


def _dry_run(draft: PlanBuilder, serving: DesiredServing, snapshot: Snapshot) -> DryRunWorkload | None:
    manifest = serving.server.workload
    if manifest is None:
        return None
    live = snapshot.workload(manifest["kind"], manifest["metadata"]["name"])
    return dry_run(draft, manifest, live, snapshot.query_results.dry_run)


def _plan_serving(draft: PlanBuilder, desired: Desired, serving: DesiredServing, snapshot: Snapshot) -> Decisions:
    """Plan the model server, and once the API server has accepted it, the gateway side."""
    server, decisions = serving.server, _without_kind(desired)
    manifest = server.workload
    live = snapshot.workload(manifest["kind"], manifest["metadata"]["name"]) if manifest is not None else None
    kind = accepted_kind(draft, server, live, snapshot.query_results.dry_run)
    if not kind:
        return decisions
    copies = existing_copies(server, snapshot.workloads, desired.workspace.meta.uid)
    is_outdated = any(copy.is_outdated for copy in copies)
    decisions = replace(
        decisions,
        workload_kind=kind,
        selector=serving.selector(kind),
        node_labels=server.node_labels,
        has_outdated_copies=is_outdated,
    )
    ours = () if server.of_kaito else (*snapshot.workloads, *snapshot.services, snapshot.network_policy)
    there = [record.meta for record in ours if record is not None]
    waiting = waiting_copies(copies, desired.resolved.copies, len(server.copy_refs))
    if not plan_workload(draft, server, there, snapshot.network_policy_problem, waiting):
        return decisions
    draft.steps.extend(chosen_replicas(desired.workspace, server.workload, live))
    scaling, limit = scaling_of(desired, serving), _plan_budget(draft, serving, snapshot, desired.settings)
    notes = (*decisions.notes, *zero_without_effect(scaling))
    decisions = replace(decisions, scaling=scaling, notes=notes, eviction_limit=limit)
    if desired.resolved.gateway_wanted:
        decisions = _plan_gateway(draft, decisions, desired, serving, snapshot)
    plan_autoscaling(draft, desired, serving, decisions.scaling, snapshot.scaled_object, snapshot.scaled_object_problem)
    return decisions


def _plan_budget(draft: PlanBuilder, serving: DesiredServing, snapshot: Snapshot, settings: PlanSettings) -> EvictionLimit | None:
    copies = serving.server.count(snapshot.workloads, draft.owner)
    there = ObservedBudgets(snapshot.budgets, snapshot.pods, snapshot.budgets_problem)
    return plan_budget(draft, serving.server, copies, settings.budgets, there)


def _plan_gateway(
    draft: PlanBuilder, decisions: Decisions, desired: Desired, serving: DesiredServing, snapshot: Snapshot
) -> Decisions:
    """Plan all between the Gateways and the model server, in the order in which they depend on each other."""
    selector = decisions.selector
    decisions = replace(
        decisions,
        parents=serving.route.chosen.parents,
        named_pool=draft.ref("InferencePool", serving.pool_ref),
        named_route=draft.ref("HTTPRoute", serving.route_ref),
        any_server=serving.spec.inference is not None and serving.spec.inference.preset is None,
    )
    if serving.gateway is not None and serving.gateway.probe is not None:
        decisions = replace(
            decisions, probe_path=serving.gateway.probe.path, probe_codes=tuple(serving.gateway.probe.codes or (HTTPStatus.OK,))
        )
    draft.report(*serving.route.chosen.problems, *missing_kind_problems(snapshot.missing_kinds, own_pool=bool(serving.pool_ref)))
    if snapshot.excess_references:
        draft.report(Problem(LinkName.GATEWAY, "TooManyReferences", snapshot.excess_references))
    _plan_pool(draft, decisions, desired, serving, snapshot)
    draft.report(missing_pool_problem(decisions.named_pool, snapshot.named_pool, snapshot.missing_kinds))
    plan_companion(draft, _companion(serving, selector), snapshot.companion, snapshot.companion_problem)
    kinds = _plan_objectives(draft, serving, snapshot, desired.settings)
    decisions = replace(decisions, objective_kinds=kinds)
    if decisions.named_route is not None:
        return check_named_route(draft, decisions, snapshot.named_route, serving.route.asked.pool, snapshot.route)
    return plan_route(draft, decisions, _wanted_route(desired, serving, decisions, snapshot), snapshot.route)


def _plan_pool(draft: PlanBuilder, decisions: Decisions, desired: Desired, serving: DesiredServing, snapshot: Snapshot) -> None:
    """Plan the chart of pool and endpoint picker; it is removed if the user's pool takes its place."""
    there = snapshot.chart
    if serving.pool_ref:
        # As if no gateway were wanted, but the route stays.
        draft.steps.extend(removal_steps(draft.workspace, None, there))
        return
    if any(problem.link is LinkName.SOURCE for problem in draft.problems):
        return
    parents, pool = serving.route.chosen.parents, None
    if parents and "InferencePool" not in snapshot.missing_kinds:
        scaling, timeout = decisions.scaling, serving.route.asked_for(decisions.scaling).timeout
        pool = pool_values(decisions.selector, serving.server.port, parents, serving.gateway, scaling, timeout, desired.settings)
    uid = snapshot.namespace.meta.uid if snapshot.namespace is not None else ""
    wanted = WantedChart(serving.names, serving.gateway, pool, uid)
    plan_chart(draft, wanted, there, snapshot.chart_verdicts, desired.settings)
    plan_retirement(draft, wanted, there, snapshot.route)


def _companion(serving: DesiredServing, selector: Mapping[str, str]) -> WantedCompanion | None:
    kind = serving.route.companion_kind
    return WantedCompanion(kind, serving.names, selector, serving.server.port) if kind else None


def _plan_objectives(draft: PlanBuilder, serving: DesiredServing, snapshot: Snapshot, settings: PlanSettings) -> tuple[str, ...]:
    """Plan the InferenceObjectives; return the kinds of those that the endpoint picker reads first."""
    chart = serving.gateway.chart if serving.gateway is not None else None
    wanted = WantedObjectives(
        objectives=serving.objectives,
        pool=serving.pool_ref or serving.names.release,
        groups=EVERY_GROUP if serving.pool_ref else groups_of(chart, settings),
        everywhere=bool(serving.pool_ref),
        moving=serving.route.moving is not None,
    )
    return plan_objectives(
        draft, wanted, snapshot.objectives, snapshot.objectives_problem, has_those_of_llm_d=snapshot.objectives_of_llm_d
    )


def _wanted_route(desired: Desired, serving: DesiredServing, decisions: Decisions, snapshot: Snapshot) -> WantedRoute:
    pool = snapshot.named_pool if serving.pool_ref else snapshot.pool
    return WantedRoute(
        names=serving.names,
        asked=serving.route.asked_for(decisions.scaling),
        moving=serving.route.moving,
        header_names=serving.route.header_names,
        aliases=serving.spec.aliases,
        refused=serving.route.refused,
        pool=RoutedPool(pool, pool is not None and snapshot.chart.has_picker_of(pool), snapshot.ages.pool_status),
        taken={claim: holder for claim, holder in snapshot.taken.own.items() if claim in (desired.claims or ())},
        of_members=snapshot.taken.of_members,
    )
