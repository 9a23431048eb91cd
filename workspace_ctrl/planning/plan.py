"""From a Workspace and the observed objects to the next steps.

`plan` is level-triggered: it depends on the current state, not on events, and can be called at any time. An object that is up to date
yields no step, so a pass over a finished Workspace writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.gateway import Objective
from workspace_ctrl.api.names import DEFAULT_CHART, Names, is_valid, names, objective_name
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.catalog.gateway_classes import chart_provider
from workspace_ctrl.planning import flux
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.chart_source import choose_chart
from workspace_ctrl.planning.chart_values import PoolValues
from workspace_ctrl.planning.companions import model_server_companion
from workspace_ctrl.planning.gateways import Chosen, choose_parents, parents_of
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.missing_kinds import missing_kind_problems
from workspace_ctrl.planning.model_names import model_names
from workspace_ctrl.planning.model_server import ModelServer
from workspace_ctrl.planning.named_route import check_route, path_by
from workspace_ctrl.planning.objectives import objective_manifest, objectives_obstacle, stale_objectives
from workspace_ctrl.planning.prepared import Plan, Prepared, prepare
from workspace_ctrl.planning.removal import removal_steps
from workspace_ctrl.planning.repair import repair_step
from workspace_ctrl.planning.route import http_route, routing, routing_problems
from workspace_ctrl.planning.settings import ChartSource, PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, Interests, LookAtChart, SetFinalizer, Step, TryWorkload
from workspace_ctrl.planning.succession import Succession, retirement_steps, succession
from workspace_ctrl.records.claims import Claim
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


def plan(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: Prepared | None = None) -> Plan:
    """Return the next steps for `workspace`, and the decisions behind them.

    `known` is the `prepared` of an earlier plan; it is reused if its inputs have not changed.
    """
    if workspace.meta.deleting:
        return Plan(Decisions(), removal_steps(workspace, snapshot), claims=frozenset())
    prepared = prepare(workspace, snapshot, settings, known)
    if prepared.server is None or prepared.spec is None:
        steps: tuple[Step, ...] = (prepared.question,) if prepared.question is not None else ()
        if not prepared.gateway_wanted:
            steps += removal_steps(workspace, snapshot)
        return Plan(_unmade(workspace, prepared), steps, prepared.interests, prepared=prepared)
    return _Planner(workspace, prepared, prepared.spec, prepared.server, snapshot, settings).plan()


def _unmade(workspace: WorkspaceRecord, prepared: Prepared) -> Decisions:
    """Return the decisions for a Workspace without a workload: its spec has a problem, or a query has to be answered first."""
    name = workspace.meta.ref.name
    return Decisions(
        gateway_wanted=prepared.gateway_wanted,
        names=names(name) if is_valid(name) else None,
        problems=(prepared.problem,) if prepared.problem is not None else (),
    )


class _Planner:
    """One planning run for one valid Workspace; collects steps and problems in the order of the chain."""

    def __init__(  # noqa: PLR0917 - all inputs of planning
        self,
        workspace: WorkspaceRecord,
        prepared: Prepared,
        spec: Workspace,
        server: ModelServer,
        snapshot: Snapshot,
        settings: PlanSettings,
    ) -> None:
        self._workspace = workspace
        self._owner: Meta = workspace.meta
        self._prepared = prepared
        self._spec = spec
        self._server = server
        self._snapshot = snapshot
        self._settings = settings
        self._names: Names = names(workspace.meta.ref.name, prepared.interests.chart or DEFAULT_CHART)
        self._steps: list[Step] = []
        self._problems: list[Problem] = []
        self._pool_ref = spec.gateway.pool_ref if spec.gateway is not None else ""
        self._route_ref = spec.gateway.http_route_ref.name if spec.gateway and spec.gateway.http_route_ref else ""
        objectives = spec.gateway.objectives if prepared.gateway_wanted and spec.gateway is not None else None
        self._objectives: Mapping[str, Objective] = {
            objective_name(self._names.workspace, entry.name): entry for entry in objectives or ()
        }
        self._models = model_names(spec, server.model_names, self._served_names())
        self._chosen = self._choose() if prepared.gateway_wanted else Chosen()
        self._own_pool = self._pool_ref or self._names.release
        is_own = not self._pool_ref and not self._route_ref
        leads = succession(snapshot, self._own_pool, self._chosen.parents) if is_own else Succession(self._own_pool)
        self._moving = leads.problem
        asked = routing(self._owner.ref, spec.gateway, leads.pool, self._models, settings)
        self._asked = replace(asked, announced=leads.announced) if leads.announced else asked
        # A referenced route is not ours, so conflicts of its matches are not resolved here.
        self._claims: frozenset[Claim] = frozenset() if self._route_ref else self._asked.claims(self._chosen.parents)

    def plan(self) -> Plan:
        wanted = self._prepared.gateway_wanted
        decisions = Decisions(
            gateway_wanted=wanted,
            names=self._names,
            model_names=self._models,
            objectives=tuple(self._objectives),
            node_count=self._server.node_count,
            sizing=self._server.sizing,
            reference=self._server.reference,
        )
        manifest = self._server.workload
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
        decisions = replace(decisions, problems=tuple(self._problems))
        return Plan(decisions, tuple(self._steps), self._interests(), self._claims, self._prepared)

    def _served_names(self) -> tuple[str, ...]:
        """Return the model names that the model server has reported, now or at its last answer."""
        probe, status = self._snapshot.probe, self._workspace.status.gateway
        told = probe.models if probe is not None else ()
        return told or (status.model_names if status is not None and not self._changed() else ())

    def _changed(self) -> bool:
        """Whether the status is for an older generation."""
        return self._workspace.status.observed_generation != self._owner.generation

    def _interests(self) -> Interests:
        """Return the objects on which the plan depends; a ModelServer and objectives are watched until they are deleted."""
        status = self._workspace.status.gateway
        known = self._snapshot.companion is not None or (status is not None and status.companion is not None)
        wanted = known or self._companion_kind() != ""
        objectives = self._objectives or self._snapshot.objectives or (status is not None and status.objectives)
        return replace(self._prepared.interests, companion=self._names.workspace if wanted else "", objectives=bool(objectives))

    def _remove_stale(self) -> None:
        """Delete objects of an earlier spec that are no longer wanted: the workload of the other kind, and its Services."""
        wanted = {ref_of(manifest) for manifest in self._server.manifests}
        workloads, services = self._snapshot.workloads, self._snapshot.services
        for meta in (*(record.meta for record in workloads), *(record.meta for record in services)):
            if meta.is_controlled_by(self._owner.uid) and meta.ref not in wanted and not meta.deleting:
                self._steps.append(Delete(meta.ref, meta.uid))

    def _accepted_kind(self, manifest: Manifest) -> str:
        """Return the kind that the API server accepted for the workload; empty until it has accepted it.

        An existing workload with our hash was accepted before, so a restart needs no dry-run.
        """
        live, tried = self._snapshot.workload(manifest["kind"]), self._snapshot.answers.dry_run
        wanted_hash = applied_hash(manifest)
        is_own = live is not None and live.meta.is_controlled_by(self._owner.uid)
        if live is not None and is_own and live.meta.applied_hash == wanted_hash:
            return live.ref.kind
        adopting = is_adopted(self._workspace.annotations, manifest["kind"])
        outdated = tried is not None and tried.foreign and tried.adopting != adopting
        if tried is None or tried.manifest_hash != wanted_hash or outdated:
            self._steps.append(TryWorkload(manifest, force=is_own))
            return ""
        if tried.refusal:
            problem = ("NotOwned", tried.refusal) if tried.foreign else ("DryRunFailed", f"{ref_of(manifest)}: {tried.refusal}")
            self._problems.append(Problem(LinkName.WORKLOAD, *problem))
            return ""
        return tried.kind

    def _choose(self) -> Chosen:
        """Return the Gateways: those of the referenced route if there is one, else those that this Workspace names or finds."""
        route = self._snapshot.named_route
        if not self._route_ref:
            return choose_parents(self._owner.ref.namespace, self._spec.gateway, self._settings.gateway, self._snapshot)
        return parents_of(route, self._snapshot) if route is not None else Chosen()

    def _plan_gateway(self, decisions: Decisions) -> Decisions:
        parents = self._chosen.parents
        self._problems.extend(self._chosen.problems)
        self._problems.extend(missing_kind_problems(self._snapshot.missing_kinds, own_pool=bool(self._pool_ref)))
        if self._pool_ref:
            # The chart is removed as if no gateway were wanted, but the route stays.
            self._steps.extend(removal_steps(self._workspace, replace(self._snapshot, route=None)))
        elif not any(problem.link is LinkName.SOURCE for problem in self._problems):
            self._plan_chart(decisions.workload_kind, parents)
            self._plan_repair()
            self._steps.extend(retirement_steps(self._workspace, self._snapshot, self._names.release))
        pool = self._named("InferencePool", self._pool_ref)
        if pool is not None and self._snapshot.named_pool is None and "InferencePool" not in self._snapshot.missing_kinds:
            text = f"{pool} (gateway.pool.ref) not found; it is used as soon as it exists"
            self._problems.append(Problem(LinkName.POOL, "InferencePoolNotFound", text))
        self._plan_companion(decisions.workload_kind)
        self._plan_objectives()
        decisions = replace(decisions, parents=parents, named_pool=pool)
        return self._check_named_route(decisions) if self._route_ref else self._plan_route(decisions)

    def _plan_route(self, decisions: Decisions) -> Decisions:
        """Plan our route, without matches that an older Workspace already has."""
        parents, asked = decisions.parents, self._asked
        self._problems.extend([self._moving] if self._moving is not None else [])
        taken = {claim: holder for claim, holder in self._snapshot.taken.items() if claim in self._claims}
        self._problems.extend(routing_problems(asked, self._models, taken, parents))
        granted = asked.without(taken)
        if not granted.leads_anywhere or not asked.is_claimable(parents):
            self._remove_route()
        elif parents and (self._pool() is not None or self._moving is not None):
            # Without its pool, the Gateway would answer all requests of the route with 500.
            key = ("route", granted, tuple((parent.gateway.ref, parent.section) for parent in parents))
            self._apply(
                self._prepared.manifest(key, lambda: http_route(self._owner, self._names, parents, granted)), LinkName.ROUTE
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
        route, ref = self._snapshot.named_route, self._named("HTTPRoute", self._route_ref)
        decisions = replace(decisions, named_route=ref)
        problem = check_route(route, ref, self._asked.pool, self._models) if ref is not None else None
        if problem is not None:
            self._problems.append(problem)
        if route is None or problem is not None:
            return decisions
        self._remove_route()
        return replace(decisions, hostnames=route.hostnames, path=path_by(route, self._asked.pool))

    def _remove_route(self) -> None:
        route = self._snapshot.route
        if route is not None and route.meta.is_controlled_by(self._owner.uid) and not route.meta.deleting:
            self._steps.append(Delete(route.ref, route.meta.uid))

    def _companion_kind(self) -> str:
        """Return the kind that the GatewayClass needs in addition to the pool; empty if none does."""
        return next((parent.companion for parent in self._chosen.parents if parent.companion), "")

    def _plan_companion(self, workload_kind: str) -> None:
        kind, live = self._companion_kind(), self._snapshot.companion
        if not kind:
            if live is not None and live.meta.is_controlled_by(self._owner.uid) and not live.meta.deleting:
                self._steps.append(Delete(live.meta.ref, live.meta.uid))
        elif self._snapshot.companion_trouble:
            text = f"{self._snapshot.companion_trouble}; install the CRDs of kthena, because its router needs a {kind} to find the pods"
            self._problems.append(Problem(LinkName.POOL, "CRDsNotAvailable", text))
        else:
            selector = self._selector(workload_kind)
            manifest = self._prepared.manifest(
                ("companion", workload_kind),
                lambda: model_server_companion(self._owner, self._names, selector, self._server.port),
            )
            self._apply(manifest, LinkName.POOL)

    def _plan_objectives(self) -> None:
        """Plan the InferenceObjectives; a problem with them affects nothing else."""
        self._steps.extend(stale_objectives(self._owner, tuple(self._objectives), self._snapshot.objectives))
        problem = self._objectives_problem() if self._objectives else None
        if problem is not None:
            self._problems.append(Problem(LinkName.OBJECTIVES, *problem))
            return
        pool = self._pool_ref or self._names.release
        for name, objective in self._objectives.items():
            make = partial(objective_manifest, self._owner, pool, objective)
            self._apply(self._prepared.manifest(("objective", name), make), LinkName.OBJECTIVES)

    def _objectives_problem(self) -> tuple[str, str] | None:
        """Return why InferenceObjectives cannot be created, or would have no effect: reason and message."""
        trouble = self._snapshot.objectives_trouble
        if trouble:
            text = f"{trouble}; install that CRD of the inference extension, then restart the endpoint picker, which detects it at start"
            return "CRDsNotAvailable", text
        chart = self._spec.gateway.chart if self._spec.gateway is not None else None
        return None if self._pool_ref else objectives_obstacle(chart, self._settings)

    def _selector(self, workload_kind: str) -> Mapping[str, str]:
        """Return the labels of the pods that serve requests."""
        return self._server.selector or flux.pool_selector(self._names.workspace, workload_kind)

    def _pool(self) -> InferencePool | None:
        return self._snapshot.named_pool if self._pool_ref else self._snapshot.pool

    def _named(self, kind: str, name: str) -> ObjectRef | None:
        return ObjectRef(kind, self._owner.ref.namespace, name) if name else None

    def _plan_chart(self, workload_kind: str, parents: Sequence[Parent]) -> None:
        gateway = self._spec.gateway
        try:
            chart = choose_chart(gateway.chart if gateway else None, self._settings)
        except SpecError as error:
            self._problems.append(Problem(LinkName.SOURCE, "ChartNotAllowed", str(error), terminal=True))
            return
        except UnknownChartError as error:
            self._problems.append(Problem(LinkName.RELEASE, "ChartVersionUnknown", str(error), terminal=True))
            return
        manifest = self._prepared.manifest("source", lambda: flux.oci_repository(self._owner, self._names, chart))
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
        source, gateway = self._snapshot.source, self._spec.gateway
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
            manifest = self._prepared.manifest(
                key,
                lambda: flux.helm_release(self._owner, self._names, pool, chart=chart, gateway=gateway, settings=self._settings),
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
        elif not self._prepared.is_ours(manifest, meta) and self._snapshot.tolerated.get(ref) != meta.owned:
            self._steps.append(Apply(manifest, link, force=True, repairs=True))
        else:
            return True
        return False
