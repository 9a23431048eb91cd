"""From a Workspace and what was observed to the next steps.

`plan` is level-triggered: it looks at what is there, not at what happened, and can be asked again at any time. An object that already has
what we decide yields no step, so a pass over a finished Workspace writes nothing.
"""

from collections.abc import Iterator
from dataclasses import replace

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import Names, is_valid, names
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.planning import flux
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.chart_source import choose_chart
from workspace_ctrl.planning.chart_values import PoolValues
from workspace_ctrl.planning.gateways import choose_parent
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.model_server import ModelServer
from workspace_ctrl.planning.prepared import Plan, Prepared, prepare
from workspace_ctrl.planning.removal import removal_steps
from workspace_ctrl.planning.repair import repair_step
from workspace_ctrl.planning.route import http_route, path_of
from workspace_ctrl.planning.settings import ChartSource, PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, SetFinalizer, Step, TryWorkload
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


def plan(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: Prepared | None = None) -> Plan:
    """Return what to do next for `workspace`, and what was decided on the way.

    `known` is the `prepared` of an earlier plan, and saves its making where it still holds.
    """
    if workspace.meta.deleting:
        return Plan(Decisions(), removal_steps(workspace, snapshot))
    prepared = prepare(workspace, snapshot, settings, known)
    if prepared.server is None or prepared.spec is None:
        steps: tuple[Step, ...] = (prepared.question,) if prepared.question is not None else ()
        if not prepared.gateway_wanted:
            steps += removal_steps(workspace, snapshot)
        return Plan(_unmade(workspace, prepared), steps, prepared.interests, prepared)
    return _Planner(workspace, prepared, prepared.spec, prepared.server, snapshot, settings).plan()


def _unmade(workspace: WorkspaceRecord, prepared: Prepared) -> Decisions:
    """Return the decisions for a Workspace whose workload cannot be made (yet)."""
    name = workspace.meta.ref.name
    return Decisions(
        gateway_wanted=prepared.gateway_wanted,
        names=names(name) if is_valid(name) else None,
        problems=(prepared.problem,) if prepared.problem is not None else (),
    )


class _Planner:
    """One planning of one valid Workspace; gathers steps and problems in the order of the chain."""

    def __init__(  # noqa: PLR0917 - all that planning looks at
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
        self._names: Names = names(workspace.meta.ref.name)
        self._steps: list[Step] = []
        self._problems: list[Problem] = []

    def plan(self) -> Plan:
        wanted = self._prepared.gateway_wanted
        decisions = Decisions(
            gateway_wanted=wanted,
            names=self._names,
            model_names=self._server.model_names,
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
            self._steps.extend(removal_steps(self._workspace, self._snapshot))
        decisions = replace(decisions, problems=tuple(self._problems))
        return Plan(decisions, tuple(self._steps), self._prepared.interests, self._prepared)

    def _remove_stale(self) -> None:
        """Delete what an earlier spec made and this one does not: the workload of the other kind, the Services that went with it."""
        wanted = {ref_of(manifest) for manifest in self._server.manifests}
        workloads, services = self._snapshot.workloads, self._snapshot.services
        for meta in (*(record.meta for record in workloads), *(record.meta for record in services)):
            if meta.is_controlled_by(self._owner.uid) and meta.ref not in wanted and not meta.deleting:
                self._steps.append(Delete(meta.ref, meta.uid))

    def _accepted_kind(self, manifest: Manifest) -> str:
        """Return the kind that the API server gave the workload; empty while it has not accepted it.

        A workload that stands there with our hash was accepted before; so a restart asks nothing.
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

    def _plan_gateway(self, decisions: Decisions) -> Decisions:
        found = choose_parent(self._owner.ref.namespace, self._spec.gateway, self._settings.gateway, self._snapshot)
        parent = found if isinstance(found, Parent) else None
        if isinstance(found, Problem):
            self._problems.append(found)
        self._problems.extend(self._missing_kinds())
        if not any(problem.link is LinkName.SOURCE for problem in self._problems):
            self._plan_chart(decisions.workload_kind, parent)
            self._plan_repair()
        if parent is not None and self._snapshot.pool is not None:
            # Without its pool a route would only answer 500, and say so in its status.
            key = ("route", parent.gateway.ref, parent.section)
            route = self._prepared.manifest(key, lambda: http_route(self._owner, self._names, parent, self._settings))
            self._apply(route, LinkName.ROUTE)
        return replace(decisions, parent=parent, path=path_of(self._owner.ref.namespace, self._names.workspace))

    def _plan_chart(self, workload_kind: str, parent: Parent | None) -> None:
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
        if self._apply(manifest, LinkName.SOURCE):
            self._plan_release(workload_kind, parent, chart)

    def _plan_release(self, workload_kind: str, parent: Parent | None, chart: ChartSource) -> None:
        """Plan the HelmRelease, once both chart and Gateway are known.

        New values must never meet an old chart, and the values depend on the Gateway's class.
        """
        source, gateway = self._snapshot.source, self._spec.gateway
        pool_served = "InferencePool" not in self._snapshot.missing_kinds
        if parent is None or source is None or not source.is_current or not pool_served:
            return
        pool = PoolValues(
            selector=self._server.selector or flux.pool_selector(self._names.workspace, workload_kind),
            port=self._server.port,
            provider=find_profile(parent.controller).chart_provider,
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
            # Before this object, the API server can collect everything by owner; this one has to be removed in order.
            self._steps.append(SetFinalizer(present=True))
        self._apply(manifest, LinkName.RELEASE)

    def _plan_repair(self) -> None:
        """Ask Flux to repair what it made, unless a new spec makes it look at all of that anyway."""
        if not any(isinstance(step, Apply) and step.link is LinkName.RELEASE for step in self._steps):
            step = repair_step(self._snapshot, self._owner.uid)
            self._steps.extend([step] if step is not None else [])

    def _missing_kinds(self) -> Iterator[Problem]:
        missing = self._snapshot.missing_kinds
        flux_kinds = sorted(missing & {"OCIRepository", "HelmRelease"})
        if flux_kinds:
            yield Problem(
                LinkName.SOURCE, "CRDsNotAvailable", f"the cluster does not serve {' and '.join(flux_kinds)}; install Flux"
            )
        if "InferencePool" in missing:
            text = "the cluster does not serve InferencePool; install the Gateway API Inference Extension CRDs"
            yield Problem(LinkName.POOL, "CRDsNotAvailable", text)

    def _apply(self, manifest: Manifest, link: LinkName) -> bool:
        """Add the step that brings the object to `manifest`, or the problem that keeps us from touching it.

        Return whether the object is there and as `manifest` has it.
        """
        ref = ref_of(manifest)
        meta = self._snapshot.meta_of(ref)
        if meta is None:
            self._steps.append(Apply(manifest, link, force=False))
        elif not meta.is_controlled_by(self._owner.uid):
            if is_adopted(self._workspace.annotations, ref.kind) and not meta.controller_uid:
                self._steps.append(Apply(manifest, link, force=False))
                return False
            text = f"{meta.ref} is there but does not belong to this Workspace; delete it, or give the Workspace another name"
            self._problems.append(Problem(link, "NotOwned", text))
        elif meta.deleting:
            return False
        elif meta.applied_hash != applied_hash(manifest):
            self._steps.append(Apply(manifest, link, force=True))
        elif not self._prepared.is_ours(manifest, meta) and self._snapshot.tolerated.get(ref) != meta.owned:
            self._steps.append(Apply(manifest, link, force=True, repairs=True))
        else:
            return True
        return False
