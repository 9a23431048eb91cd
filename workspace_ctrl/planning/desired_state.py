"""The desired state of a Workspace: its model server, and the requests that are to reach it through which Gateways."""

from dataclasses import dataclass, field, replace

from workspace_ctrl.api.names import DEFAULT_CHART, names, objective_name
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.companion.kaito_pool import behind_pool_of_kaito
from workspace_ctrl.planning.desired_serving import DesiredServing, desired_route, route_ref
from workspace_ctrl.planning.gateway.objectives import concerns_llm_d
from workspace_ctrl.planning.gateway.parents import Chosen, Cluster, choose_parents, parents_of
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.resolved_workspace import ResolvedWorkspace
from workspace_ctrl.planning.steps import LookUpModel, Query
from workspace_ctrl.planning.traffic.group_steps import DesiredGroup, desire_group
from workspace_ctrl.planning.workload.model_names import model_names, unserved_names
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.planned_server import PlannedServer, plan_server
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a Workspace, as far as it is known; a value that later passes are compared with."""

    workspace: WorkspaceRecord
    resolved: ResolvedWorkspace
    settings: PlanSettings
    dependencies: Dependencies = field(default_factory=Dependencies)
    """All external objects on which the plan depends."""
    planned: PlannedServer | None = None
    """To be passed to `desire` again; worth its memory only if that follows soon."""
    serving: DesiredServing | None = None
    """None while the model server is not known."""
    claims: frozenset[RouteClaim] | None = None
    """The route matches that the Workspace claims on listeners; None if they are not known now, so that the earlier claims stay."""
    groups: tuple[DesiredGroup, ...] = ()
    """The group of the Workspace, and those that it has left, as far as their routes are still concerned."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """What the API server has to be asked before the model server is known: all of it, together."""
        query = self.planned.query if self.planned is not None else None
        return (query,) if query is not None else ()

    @property
    def look_ups(self) -> tuple[LookUpModel, ...]:
        """What other tasks of the process are to find out for the model server."""
        look_up = self.planned.look_up if self.planned is not None else None
        return (look_up,) if look_up is not None else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the Workspace has no effect, and what was assumed or left out, as warnings for its author."""
        if self.serving is None:
            return self.resolved.notes
        return (*self.resolved.notes, *self.serving.server.notes, *filter(None, (self.serving.note, self.serving.route.note)))

    @property
    def problem(self) -> Problem | None:
        """Why the model server is not known."""
        return self.resolved.problem or (self.planned.problem if self.planned is not None else None)


def desire(
    resolved: ResolvedWorkspace, workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: PlannedServer | None
) -> Desired:
    """Return the desired state of `workspace` in the cluster of `snapshot`; `known` is the model server of an earlier one."""
    groups = _groups(workspace, snapshot, settings) if snapshot.groups else ()
    found = _desire(resolved, workspace, snapshot, settings, known, groups)
    return replace(found, groups=groups) if groups else found


def _desire(  # noqa: PLR0917 - all inputs of planning, and what its groups are
    resolved: ResolvedWorkspace,
    workspace: WorkspaceRecord,
    snapshot: Snapshot,
    settings: PlanSettings,
    known: PlannedServer | None,
    groups: tuple[DesiredGroup, ...],
) -> Desired:
    if workspace.meta.deleting:
        return Desired(workspace, resolved, settings, resolved.dependencies, claims=frozenset())
    if resolved.spec is None:
        return Desired(workspace, resolved, settings, resolved.dependencies)
    planned = plan_server(workspace, resolved.spec, _server_records(snapshot), settings, known, resolved.copies)
    if planned.server is None:
        return Desired(workspace, resolved, settings, resolved.dependencies, planned)
    spec = resolved.spec
    if settings.is_companion:
        spec = behind_pool_of_kaito(spec, workspace, snapshot.named_pool, has_release=snapshot.release is not None)
    group = next((each for each in groups if each.has(workspace.meta.ref)), None)
    serving = _serving(resolved, spec, planned.server, workspace, snapshot, settings, group)
    # A referenced route is not ours, so conflicts of its matches are not resolved here.
    claims = frozenset() if serving.route_ref else serving.route.asked.claims(serving.route.chosen.parents)
    dependencies = _dependencies(resolved, serving, workspace, snapshot, settings)
    return Desired(workspace, resolved, settings, dependencies, planned, serving, claims)


def _groups(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings) -> tuple[DesiredGroup, ...]:
    cluster = replace(_cluster(snapshot), route=None)
    return tuple(desire_group(workspace.meta.ref.namespace, group, settings, cluster) for group in snapshot.groups)


def _cluster(snapshot: Snapshot) -> Cluster:
    return Cluster(snapshot.gateways, snapshot.gateway_classes, snapshot.namespace, snapshot.missing_kinds, snapshot.route)


def _server_records(snapshot: Snapshot) -> ServerRecords:
    return ServerRecords(
        workloads=snapshot.workloads,
        nodes=snapshot.nodes,
        config_map=snapshot.config_map,
        config=snapshot.query_results.config,
        reference=snapshot.reference,
        reference_problem=snapshot.reference_problem,
        scale=snapshot.query_results.scale,
        hub_answer=snapshot.hub_answer,
        single_pods=any(not pod.has_index for pod in snapshot.pods if not pod.has_ended),
    )


def _serving(  # noqa: PLR0917 - all inputs of planning
    resolved: ResolvedWorkspace,
    spec: Workspace,
    server: ModelServer,
    workspace: WorkspaceRecord,
    snapshot: Snapshot,
    settings: PlanSettings,
    group: DesiredGroup | None,
) -> DesiredServing:
    derived = names(workspace.meta.ref.name, resolved.dependencies.chart or DEFAULT_CHART)
    served = _reported(snapshot) or _served_before(workspace)
    models = model_names(spec, server, served)
    objectives = spec.gateway.objectives if resolved.gateway_wanted and spec.gateway is not None else None
    chosen = _choose(workspace, spec.gateway, snapshot, settings) if resolved.gateway_wanted else Chosen()
    pool_ref = spec.gateway.pool_ref if spec.gateway is not None else ""
    own_pool, live = pool_ref or derived.release, snapshot.route
    route = desired_route(spec, server, models, own_pool, chosen, workspace, snapshot.chart, live, settings, group)
    return DesiredServing(
        spec=spec,
        server=server,
        names=derived,
        model_names=models,
        objectives={objective_name(derived.workspace, entry.name): entry for entry in objectives or ()},
        route=route,
        note=unserved_names(spec, server, _reported(snapshot)),
    )


def _reported(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the model names that the model server has reported to this process, now or at its last answer."""
    return (snapshot.probe.models if snapshot.probe is not None else ()) or snapshot.served_names


def _served_before(workspace: WorkspaceRecord) -> tuple[str, ...]:
    """Return the model names in the status, as far as it is for the current spec."""
    status = workspace.status.gateway
    is_current = workspace.status.observed_generation == workspace.meta.generation
    return status.model_names if status is not None and is_current else ()


def _choose(workspace: WorkspaceRecord, spec: GatewaySpec | None, snapshot: Snapshot, settings: PlanSettings) -> Chosen:
    """Return the Gateways: those of the referenced route if there is one, else those that this Workspace names or finds."""
    cluster = _cluster(snapshot)
    if not route_ref(spec):
        return choose_parents(workspace.meta.ref.namespace, spec, settings, cluster)
    route = snapshot.named_route
    return parents_of(route, settings, cluster) if route is not None else Chosen()


def _dependencies(
    resolved: ResolvedWorkspace, serving: DesiredServing, workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings
) -> Dependencies:
    """Return the objects on which the plan depends; what only some Workspaces have is watched until it is deleted."""
    status = workspace.status.gateway
    known = snapshot.companion is not None or (status is not None and status.companion is not None)
    was_scaled = snapshot.scaled_object is not None or workspace.status.is_scaled
    is_scaled = was_scaled or (resolved.copies is not None and resolved.copies.autoscaling is not None)
    was_several = snapshot.network_policy is not None or snapshot.workload("StatefulSet") is not None
    had_budget = (
        any(budget.meta.is_controlled_by(workspace.meta.uid) for budget in snapshot.budgets) or workspace.status.is_budgeted
    )
    is_copied = settings.budgets.enabled and serving.server.count(snapshot.workloads, workspace.meta) > 1
    objectives = serving.objectives or snapshot.objectives or (status is not None and status.objectives)
    pool, route = serving.pool_ref or serving.names.release, snapshot.named_route
    return replace(
        resolved.dependencies,
        pods=resolved.dependencies.pods or ({} if serving.server.of_kaito else serving.server.selector),
        network_policy=serving.names.workload if was_several or serving.server.has_network_policy else "",
        budgets=is_copied or had_budget,
        scaled_object=serving.names.workspace if is_scaled and settings.autoscaling.enabled else "",
        companion=serving.names.workspace if known or serving.route.companion_kind else "",
        objectives=bool(objectives),
        sibling_pools=route.pools_beside(pool) if route is not None else (),
        objectives_of_llm_d=concerns_llm_d(snapshot.objectives, settings, wanted=bool(objectives), own_pool=bool(serving.pool_ref)),
    )
