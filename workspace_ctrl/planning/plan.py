"""From the desired state of a Workspace and the observed objects to the next steps.

Planning is level-triggered: it depends on the current state, not on events, and can be done at any time. An object that is up to date
yields no step, so a pass over a finished Workspace writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import is_valid, names
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.catalog.gateway_classes import chart_provider
from workspace_ctrl.planning import flux
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.chart_source import choose_chart
from workspace_ctrl.planning.chart_values import PoolValues
from workspace_ctrl.planning.companions import model_server_companion
from workspace_ctrl.planning.desired import Desired, DesiredServing, desire
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.missing_kinds import missing_kind_problems
from workspace_ctrl.planning.named_route import check_route, path_by
from workspace_ctrl.planning.objectives import objective_manifest, objectives_obstacle, stale_objectives
from workspace_ctrl.planning.planned_server import PlannedServer
from workspace_ctrl.planning.removal import removal_steps
from workspace_ctrl.planning.repair import repair_step
from workspace_ctrl.planning.resolve import resolve
from workspace_ctrl.planning.route import http_route, routing_problems
from workspace_ctrl.planning.settings import ChartSource, PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, Interests, LookAtChart, Question, SetFinalizer, Step, TryWorkload
from workspace_ctrl.planning.succession import retirement_steps
from workspace_ctrl.records.claims import Claim
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps, in order, and the decisions behind them."""

    decisions: Decisions
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A plan that depends on whether the API server accepts the workload, and as which kind; it is made again with the answer."""

    dry_run: TryWorkload


def make_plan(desired: Desired, snapshot: Snapshot) -> Plan | Pending:
    """Return the steps from the objects of `snapshot` to the desired state, or the dry-run that has to come before."""
    workspace = desired.workspace
    if workspace.meta.deleting:
        return Plan(Decisions(), removal_steps(workspace, snapshot))
    if desired.serving is None or desired.planned is None:
        removal = () if desired.resolved.gateway_wanted else removal_steps(workspace, snapshot)
        return Plan(_without_server(desired), removal)
    planner = _Planner(desired, desired.serving, desired.planned, snapshot)
    dry_run = planner.dry_run()
    return planner.plan() if dry_run is None else Pending(dry_run)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a Workspace leads to in one state of the cluster: the pipeline from the spec to the steps, in one value."""

    desired: Desired
    decisions: Decisions
    steps: tuple[Question | Step, ...] = ()
    """The queries, where the API server has to be asked before there is more of a plan, and the other steps."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """The queries among the steps."""
        return tuple(step for step in self.steps if isinstance(step, Question))

    @property
    def dependencies(self) -> Interests:
        """All external objects on which the plan depends."""
        return self.desired.dependencies

    @property
    def claims(self) -> frozenset[Claim] | None:
        """The route matches that the Workspace claims on listeners."""
        return self.desired.claims


def plan(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: PlannedServer | None = None) -> Planned:
    """Return what `workspace` leads to in the cluster of `snapshot`; `known` is the model server of an earlier desired state."""
    desired = desire(resolve(workspace, settings), workspace, snapshot, settings, known)
    outcome = make_plan(desired, snapshot)
    if isinstance(outcome, Pending):
        return Planned(desired, _without_kind(desired), (outcome.dry_run,))
    return Planned(desired, outcome.decisions, (*desired.questions, *outcome.steps))


def _without_server(desired: Desired) -> Decisions:
    """Return the decisions for a Workspace without a workload: its spec has a problem, or a query has to be answered first."""
    name = desired.workspace.meta.ref.name
    return Decisions(
        gateway_wanted=desired.resolved.gateway_wanted,
        names=names(name) if is_valid(name) else None,
        problems=(desired.problem,) if desired.problem is not None else (),
    )


def _without_kind(desired: Desired) -> Decisions:
    """Return the decisions for a Workspace whose workload the API server has not accepted."""
    serving = desired.serving
    if serving is None:
        return _without_server(desired)
    return Decisions(
        gateway_wanted=desired.resolved.gateway_wanted,
        names=serving.names,
        model_names=serving.model_names,
        objectives=tuple(serving.objectives),
        node_count=serving.server.node_count,
        sizing=serving.server.sizing,
        reference=serving.server.reference,
    )


class _Planner:
    """One planning run for one valid Workspace; collects steps and problems in the order of the chain."""

    def __init__(self, desired: Desired, serving: DesiredServing, planned: PlannedServer, snapshot: Snapshot) -> None:
        self._desired = desired
        self._serving = serving
        self._planned = planned
        self._snapshot = snapshot
        self._workspace = desired.workspace
        self._owner: Meta = desired.workspace.meta
        self._settings = desired.settings
        self._server = serving.server
        self._parents = serving.route.chosen.parents
        self._steps: list[Step] = []
        self._problems: list[Problem] = []

    def dry_run(self) -> TryWorkload | None:
        """Return the dry-run of the workload, where the API server has not answered one for it.

        An existing workload with our hash was accepted before, so a restart needs no dry-run.
        """
        manifest = self._server.workload
        if manifest is None or self._live_kind(manifest):
            return None
        live, tried = self._snapshot.workload(manifest["kind"]), self._snapshot.answers.dry_run
        adopting = is_adopted(self._workspace.annotations, manifest["kind"])
        is_outdated = tried is not None and tried.foreign and tried.adopting != adopting
        if tried is not None and tried.manifest_hash == applied_hash(manifest) and not is_outdated:
            return None
        return TryWorkload(manifest, force=live is not None and live.meta.is_controlled_by(self._owner.uid))

    def plan(self) -> Plan:
        """Return the plan, once the API server has answered the dry-run."""
        wanted, manifest = self._desired.resolved.gateway_wanted, self._server.workload
        decisions = _without_kind(self._desired)
        kind = self._server.kind if manifest is None else self._accepted_kind(manifest)
        if kind:
            decisions = replace(decisions, workload_kind=kind)
            for wanted_manifest in self._server.manifests:
                self._apply(wanted_manifest, LinkName.WORKLOAD)
            self._remove_stale()
            if wanted:
                decisions = self._plan_gateway(decisions)
        if not wanted:
            self._plan_objectives()
            self._plan_companion("")
            self._steps.extend(removal_steps(self._workspace, self._snapshot))
        return Plan(replace(decisions, problems=tuple(self._problems)), tuple(self._steps))

    def _live_kind(self, manifest: Manifest) -> str:
        """Return the kind of the workload where it exists as we want it; empty where it does not."""
        live = self._snapshot.workload(manifest["kind"])
        is_own = live is not None and live.meta.is_controlled_by(self._owner.uid)
        return live.ref.kind if live is not None and is_own and live.meta.applied_hash == applied_hash(manifest) else ""

    def _accepted_kind(self, manifest: Manifest) -> str:
        """Return the kind that the API server accepted for the workload; empty where it rejected it."""
        live_kind, tried = self._live_kind(manifest), self._snapshot.answers.dry_run
        if live_kind or tried is None:
            return live_kind
        if tried.refusal:
            problem = ("NotOwned", tried.refusal) if tried.foreign else ("DryRunFailed", f"{ref_of(manifest)}: {tried.refusal}")
            self._problems.append(Problem(LinkName.WORKLOAD, *problem))
            return ""
        return tried.kind

    def _remove_stale(self) -> None:
        """Delete objects of an earlier spec that are no longer wanted: the workload of the other kind, and its Services."""
        wanted = {ref_of(manifest) for manifest in self._server.manifests}
        workloads, services = self._snapshot.workloads, self._snapshot.services
        for meta in (*(record.meta for record in workloads), *(record.meta for record in services)):
            if meta.is_controlled_by(self._owner.uid) and meta.ref not in wanted and not meta.deleting:
                self._steps.append(Delete(meta.ref, meta.uid))

    def _plan_gateway(self, decisions: Decisions) -> Decisions:
        parents = self._parents
        self._problems.extend(self._serving.route.chosen.problems)
        self._problems.extend(missing_kind_problems(self._snapshot.missing_kinds, own_pool=bool(self._serving.pool_ref)))
        if self._serving.pool_ref:
            # The chart is removed as if no gateway were wanted, but the route stays.
            self._steps.extend(removal_steps(self._workspace, replace(self._snapshot, route=None)))
        elif not any(problem.link is LinkName.SOURCE for problem in self._problems):
            self._plan_chart(decisions.workload_kind, parents)
            self._plan_repair()
            self._steps.extend(retirement_steps(self._workspace, self._snapshot, self._serving.names.release))
        pool = self._named("InferencePool", self._serving.pool_ref)
        if pool is not None and self._snapshot.named_pool is None and "InferencePool" not in self._snapshot.missing_kinds:
            text = f"{pool} (gateway.pool.ref) not found; it is used as soon as it exists"
            self._problems.append(Problem(LinkName.POOL, "InferencePoolNotFound", text))
        self._plan_companion(decisions.workload_kind)
        self._plan_objectives()
        decisions = replace(decisions, parents=parents, named_pool=pool)
        return self._check_named_route(decisions) if self._serving.route_ref else self._plan_route(decisions)

    def _plan_route(self, decisions: Decisions) -> Decisions:
        """Plan our route, without matches that an older Workspace already has."""
        parents, asked = decisions.parents, self._serving.route.asked
        self._problems.extend([self._serving.route.moving] if self._serving.route.moving is not None else [])
        taken = {claim: holder for claim, holder in self._snapshot.taken.items() if claim in (self._desired.claims or ())}
        self._problems.extend(routing_problems(asked, self._serving.model_names, taken, parents))
        granted = asked.without(taken)
        if not granted.leads_anywhere or not asked.is_claimable(parents):
            self._remove_route()
        elif parents and (self._pool() is not None or self._serving.route.moving is not None):
            # Without its pool, the Gateway would answer all requests of the route with 500.
            key = ("route", granted, tuple((parent.gateway.ref, parent.section) for parent in parents))
            self._apply(
                self._planned.manifest(key, lambda: http_route(self._owner, self._serving.names, parents, granted)), LinkName.ROUTE
            )
        path, by_header = granted.path.rstrip("/"), bool(granted.headers) and not granted.catch_all
        return replace(
            decisions,
            hostnames=granted.hostnames,
            path=path,
            by_header=by_header and path != "",
            wants_header=bool(asked.headers),
        )

    def _check_named_route(self, decisions: Decisions) -> Decisions:
        """Check the referenced route; our own is deleted once the referenced one routes to the pool."""
        route, ref = self._snapshot.named_route, self._named("HTTPRoute", self._serving.route_ref)
        decisions = replace(decisions, named_route=ref)
        problem = check_route(route, ref, self._serving.route.asked.pool, self._serving.model_names) if ref is not None else None
        if problem is not None:
            self._problems.append(problem)
        if route is None or problem is not None:
            return decisions
        self._remove_route()
        return replace(decisions, hostnames=route.hostnames, path=path_by(route, self._serving.route.asked.pool))

    def _remove_route(self) -> None:
        route = self._snapshot.route
        if route is not None and route.meta.is_controlled_by(self._owner.uid) and not route.meta.deleting:
            self._steps.append(Delete(route.ref, route.meta.uid))

    def _plan_companion(self, workload_kind: str) -> None:
        kind, live = self._serving.route.companion_kind, self._snapshot.companion
        if not kind:
            if live is not None and live.meta.is_controlled_by(self._owner.uid) and not live.meta.deleting:
                self._steps.append(Delete(live.meta.ref, live.meta.uid))
        elif self._snapshot.companion_trouble:
            text = f"{self._snapshot.companion_trouble}; install the CRDs of kthena, because its router needs a {kind} to find the pods"
            self._problems.append(Problem(LinkName.POOL, "CRDsNotAvailable", text))
        else:
            selector = self._selector(workload_kind)
            manifest = self._planned.manifest(
                ("companion", workload_kind),
                lambda: model_server_companion(self._owner, self._serving.names, selector, self._server.port),
            )
            self._apply(manifest, LinkName.POOL)

    def _plan_objectives(self) -> None:
        """Plan the InferenceObjectives; a problem with them affects nothing else."""
        self._steps.extend(stale_objectives(self._owner, tuple(self._serving.objectives), self._snapshot.objectives))
        problem = self._objectives_problem() if self._serving.objectives else None
        if problem is not None:
            self._problems.append(Problem(LinkName.OBJECTIVES, *problem))
            return
        pool = self._serving.pool_ref or self._serving.names.release
        for name, objective in self._serving.objectives.items():
            make = partial(objective_manifest, self._owner, pool, objective)
            self._apply(self._planned.manifest(("objective", name), make), LinkName.OBJECTIVES)

    def _objectives_problem(self) -> tuple[str, str] | None:
        """Return why InferenceObjectives cannot be created, or would have no effect: reason and message."""
        trouble = self._snapshot.objectives_trouble
        if trouble:
            text = f"{trouble}; install that CRD of the inference extension, then restart the endpoint picker, which detects it at start"
            return "CRDsNotAvailable", text
        chart = self._serving.gateway.chart if self._serving.gateway is not None else None
        return None if self._serving.pool_ref else objectives_obstacle(chart, self._settings)

    def _selector(self, workload_kind: str) -> Mapping[str, str]:
        """Return the labels of the pods that serve requests."""
        return self._server.selector or flux.pool_selector(self._serving.names.workspace, workload_kind)

    def _pool(self) -> InferencePool | None:
        return self._snapshot.named_pool if self._serving.pool_ref else self._snapshot.pool

    def _named(self, kind: str, name: str) -> ObjectRef | None:
        return ObjectRef(kind, self._owner.ref.namespace, name) if name else None

    def _plan_chart(self, workload_kind: str, parents: Sequence[Parent]) -> None:
        gateway = self._serving.gateway
        try:
            chart = choose_chart(gateway.chart if gateway else None, self._settings)
        except SpecError as error:
            self._problems.append(Problem(LinkName.SOURCE, "ChartNotAllowed", str(error), terminal=True))
            return
        except UnknownChartError as error:
            self._problems.append(Problem(LinkName.RELEASE, "ChartVersionUnknown", str(error), terminal=True))
            return
        manifest = self._planned.manifest("source", lambda: flux.oci_repository(self._owner, self._serving.names, chart))
        if self._may_use(chart, manifest) and self._apply(manifest, LinkName.SOURCE):
            self._plan_release(workload_kind, parents, chart)

    def _may_use(self, chart: ChartSource, source: Manifest) -> bool:
        """Whether a chart may be used: it is in use already, or chart checks are off, or the check has passed.

        Flux installs a new chart as soon as the OCIRepository has it, so the check has to be done before.
        """
        findings, live = self._snapshot.chart_findings, self._snapshot.source
        if findings is None or (live is not None and live.meta.applied_hash == applied_hash(source)):
            return True
        found = findings.get(chart.id)
        if found is not None and found.holds:
            return True
        self._steps.append(LookAtChart(chart.id))
        problem = Problem(LinkName.SOURCE, "ChartBeingChecked", f"chart {chart.id} is being checked with Helm before its first use")
        if found is not None:
            problem = Problem(LinkName.SOURCE, found.reason, found.message, terminal=found.terminal)
        self._problems.append(problem)
        return False

    def _plan_release(self, workload_kind: str, parents: Sequence[Parent], chart: ChartSource) -> None:
        """Plan the HelmRelease, once both chart and Gateway are known.

        New values must never be applied to an old chart, and the values depend on the GatewayClass.
        """
        source, gateway = self._snapshot.source, self._serving.gateway
        pool_served = "InferencePool" not in self._snapshot.missing_kinds
        if not parents or source is None or not source.is_current or not pool_served:
            return
        pool = PoolValues(
            selector=self._selector(workload_kind),
            port=self._server.port,
            provider=chart_provider(parent.controller for parent in parents),
            failure_mode=gateway.pool.failure_mode if gateway and gateway.pool else None,
        )
        key = ("release", workload_kind, pool.provider)
        try:
            manifest = self._planned.manifest(
                key,
                lambda: flux.helm_release(
                    self._owner, self._serving.names, pool, chart=chart, gateway=gateway, settings=self._settings
                ),
            )
        except SpecError as error:
            self._problems.append(Problem(LinkName.RELEASE, "ValuesNotAllowed", str(error), terminal=True))
            return
        if not self._workspace.has_finalizer:
            # All objects before this one can be garbage-collected; from this one on, the removal needs an order.
            self._steps.append(SetFinalizer(present=True))
        self._apply(manifest, LinkName.RELEASE)

    def _plan_repair(self) -> None:
        """Request a reconciliation from Flux to repair its objects, unless a new spec triggers one anyway."""
        if not any(isinstance(step, Apply) and step.link is LinkName.RELEASE for step in self._steps):
            step = repair_step(self._snapshot, self._owner.uid)
            self._steps.extend([step] if step is not None else [])

    def _apply(self, manifest: Manifest, link: LinkName) -> bool:
        """Add the step that applies `manifest`, or the problem that prevents it.

        Return whether the object exists and matches `manifest`.
        """
        ref = ref_of(manifest)
        meta = self._snapshot.meta_of(ref)
        if meta is None:
            self._steps.append(Apply(manifest, link, force=False))
        elif not meta.is_controlled_by(self._owner.uid):
            if is_adopted(self._workspace.annotations, ref.kind) and not meta.controller_uid:
                self._steps.append(Apply(manifest, link, force=False))
                return False
            text = f"{meta.ref} already exists and is not owned by this Workspace; delete it, or rename the Workspace"
            self._problems.append(Problem(link, "NotOwned", text))
        elif meta.unreadable:
            text = f"{meta.ref} cannot be read: {meta.unreadable}; delete it, and it is created again"
            self._problems.append(Problem(link, "ObjectUnreadable", text))
        elif meta.deleting:
            return False
        elif meta.applied_hash != applied_hash(manifest):
            self._steps.append(Apply(manifest, link, force=True))
        elif not self._planned.is_ours(manifest, meta) and self._snapshot.tolerated.get(ref) != meta.owned:
            self._steps.append(Apply(manifest, link, force=True, repairs=True))
        else:
            return True
        return False
