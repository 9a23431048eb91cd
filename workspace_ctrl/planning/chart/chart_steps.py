"""The steps to pool and endpoint picker: the OCIRepository of the chart, the HelmRelease that installs it, and its repair."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.catalog.gateway_classes import chart_provider
from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.model.chart_verdicts import ChartId, ChartVerdict
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem, Scaling
from workspace_ctrl.planning.chart.chart_migration import retirement_steps
from workspace_ctrl.planning.chart.flux_objects import helm_release, oci_repository
from workspace_ctrl.planning.chart.repair import repair_step, take_over_step
from workspace_ctrl.planning.chart.source import choose_chart
from workspace_ctrl.planning.chart.values import PoolValues
from workspace_ctrl.planning.held_updates import RELEASE, Hold
from workspace_ctrl.planning.manifests import Manifest, applied_hash
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings
from workspace_ctrl.planning.steps import Apply, SetFinalizer, VerifyChart
from workspace_ctrl.records.flux import OCIRepository
from workspace_ctrl.records.gateways import HTTPRoute


@dataclass(frozen=True, slots=True)
class WantedChart:
    """What the chart of a Workspace is installed for."""

    names: Names
    gateway: GatewaySpec | None
    pool: PoolValues | None
    """None while the release cannot be planned: its values depend on the GatewayClass, and its pool needs a CRD."""
    namespace_uid: str = ""
    """Empty if the controller may not read Namespaces."""


def pool_values(  # noqa: PLR0917 - what the values depend on
    selector: Mapping[str, str],
    port: int,
    parents: Iterable[Parent],
    gateway: GatewaySpec | None,
    scaling: Scaling | None,
    timeout: str,
    settings: PlanSettings,
) -> PoolValues:
    """Return the chart's values for pods that match `selector` and serve at `port`, behind `parents`, if they are scaled so.

    `timeout` limits the duration of an answer; empty for the Gateway's default.
    """
    return PoolValues(
        selector=selector,
        port=port,
        provider=chart_provider(settings.profile_of(parent.controller) for parent in parents),
        failure_mode=gateway.pool.failure_mode if gateway and gateway.pool else None,
        held_seconds=scaling.held_seconds if scaling is not None else 0,
        timeout=timeout,
        open_metrics=scaling is not None and not settings.autoscaling.prometheus,
    )


def plan_chart(
    draft: PlanBuilder,
    wanted: WantedChart,
    there: ChartObjects,
    verdicts: Mapping[ChartId, ChartVerdict] | None,
    settings: PlanSettings,
) -> None:
    """Plan OCIRepository and HelmRelease; `verdicts` is None if charts are not checked before their first use."""
    _plan_source(draft, wanted, there.source, verdicts, settings)
    # A new spec triggers a reconciliation anyway.
    if not any(isinstance(step, Apply) and step.link is LinkName.RELEASE for step in draft.steps):
        uid = draft.owner.uid
        step = repair_step(there, uid) or take_over_step(there, uid, wanted.names.endpoint_picker)
        draft.steps.extend([step] if step is not None else [])


def plan_retirement(draft: PlanBuilder, wanted: WantedChart, there: ChartObjects, route: HTTPRoute | None) -> None:
    """Plan the removal of former charts, once `route` leads to the pool of the wanted one."""
    draft.steps.extend(retirement_steps(draft.workspace, there.former, route, wanted.names.release))


def _plan_source(
    draft: PlanBuilder,
    wanted: WantedChart,
    live: OCIRepository | None,
    verdicts: Mapping[ChartId, ChartVerdict] | None,
    settings: PlanSettings,
) -> None:
    asked = wanted.gateway.chart if wanted.gateway is not None else None
    try:
        chart = choose_chart(asked, settings)
    except SpecError as error:
        draft.report(Problem(LinkName.SOURCE, "ChartNotAllowed", str(error), terminal=True))
        return
    except UnknownChartError as error:
        # An earlier chart stays fetched; of a first one, the release's link is hidden by that of the missing source.
        link = LinkName.SOURCE if live is None else LinkName.RELEASE
        draft.report(Problem(link, "ChartVersionUnknown", str(error), terminal=True, by_settings=asked is None))
        return
    manifest = draft.manifest("source", lambda: oci_repository(draft.owner, wanted.names, chart))
    if draft.ref(RELEASE, wanted.names.release) not in draft.live:
        draft = replace(draft, hold=Hold())  # a new release has the values of the new chart
    if not _may_use(draft, chart, manifest, live, verdicts) or not draft.apply(manifest, LinkName.SOURCE):
        return
    # New values must never be applied to an old chart.
    if wanted.pool is not None and live is not None and live.is_current:
        _plan_release(draft, wanted, wanted.pool, chart, settings)


def _may_use(
    draft: PlanBuilder,
    chart: ChartSource,
    source: Manifest,
    live: OCIRepository | None,
    verdicts: Mapping[ChartId, ChartVerdict] | None,
) -> bool:
    """Whether a chart may be used: it is in use already, or chart checks are off, or the check has passed.

    Flux installs a new chart as soon as the OCIRepository has it, so the check has to be done before.
    """
    if verdicts is None or (live is not None and _is_in_use(draft, source, live)):
        return True
    found = verdicts.get(chart.id)
    if found is not None and found.holds:
        return True
    draft.steps.append(VerifyChart(chart.id))
    problem = Problem(LinkName.SOURCE, "ChartBeingChecked", f"chart {chart.id} is being checked with Helm before its first use")
    if found is not None:
        problem = Problem(LinkName.SOURCE, found.reason, found.message, terminal=found.terminal)
    draft.report(problem)
    return False


def _is_in_use(draft: PlanBuilder, source: Manifest, live: OCIRepository) -> bool:
    return live.meta.applied_hash == applied_hash(source) or draft.keeps(source, live.meta)


def _plan_release(draft: PlanBuilder, wanted: WantedChart, pool: PoolValues, chart: ChartSource, settings: PlanSettings) -> None:
    try:
        manifest = draft.manifest(
            "release",
            lambda: helm_release(
                draft.owner,
                wanted.names,
                pool,
                chart=chart,
                gateway=wanted.gateway,
                settings=settings,
                namespace_uid=wanted.namespace_uid,
            ),
            (pool.provider, tuple(pool.selector.items()), pool.held_seconds, pool.open_metrics, wanted.namespace_uid),
        )
    except SpecError as error:
        draft.report(Problem(LinkName.RELEASE, "ValuesNotAllowed", str(error), terminal=True))
        return
    # All objects before this one can be garbage-collected; from this one on, the removal needs an order. But nothing of ours may hold up
    # the deletion of KAITO's Workspaces: its model servers, and with them the answers, end at the deletion anyway.
    if draft.workspace.has_finalizer == settings.is_companion:
        draft.steps.append(SetFinalizer(present=not settings.is_companion))
    draft.apply(manifest, LinkName.RELEASE)
