"""Migration from one chart to another without losing a request: both are installed, the route moves, and the former one is removed.

Helm cannot replace one chart by another in place: the pool would be missing in between. So the new chart gets names of its own, and the
route stays on the former pool until the new one can answer. Gateways prepare for a pool only once a route references it (Istio then creates
a Service for it, and answers 500 until it has), so the route references the new one in advance, in a rule that no request matches. The
former chart is removed once the status says that requests are answered without it; the status survives a restart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.model.attachment_status import status_from
from workspace_ctrl.model.chart_objects import ChartObjects, FormerCharts
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem
from workspace_ctrl.planning.removal import delete_steps, uninstall_steps
from workspace_ctrl.planning.steps import Step
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Migration:
    """The pool that the route uses now."""

    pool: str
    announced: str = ""
    """The pool that the route references in advance; empty for none."""
    problem: Problem | None = None
    """Set while it is not the Workspace's new pool yet."""


def migration(chart: ChartObjects, route: HTTPRoute | None, pool: str, parents: Sequence[Parent]) -> Migration:
    """Return the pool for the route: `pool`, but that of a former chart while the route uses it and `pool` cannot answer."""
    held = _former_pool(chart.former, route)
    if not held or (_runs(chart) and _is_known(route, chart.pool, pool, parents)):
        return Migration(pool)
    text = f"HTTPRoute {route.ref.name if route else ''} still uses InferencePool {held} of the former chart until"
    problem = Problem(LinkName.ROUTE, "FormerChartInUse", f"{text} {pool} is ready")
    is_there = chart.pool is not None and not chart.pool.meta.deleting
    return Migration(held, pool if is_there and _takes_announcements(parents) else "", problem)


def retirement_steps(workspace: WorkspaceRecord, former: FormerCharts, route: HTTPRoute | None, pool: str) -> Iterator[Step]:
    """Yield the next steps to remove `former` charts, once requests are answered through `pool`."""
    uid = workspace.meta.uid
    if not former or _former_pool(former, route) or not _is_told_ready(workspace, pool):
        return
    for release in former.releases:
        if release.meta.is_controlled_by(uid):
            yield from uninstall_steps(release)
    installed = {release.ref.name for release in former.releases}
    for source in former.sources:
        if source.meta.is_controlled_by(uid) and source.ref.name not in installed:
            yield from delete_steps(source.meta)


def _former_pool(former: FormerCharts, route: HTTPRoute | None) -> str:
    """Return the pool of a former chart that the route uses; empty if it uses none."""
    pools = {each.ref.name for each in former.pools if not each.meta.deleting}
    rules = route.rules if pools and route is not None else ()
    return next((name for rule in rules for name in rule.pools if name in pools), "")


def _runs(chart: ChartObjects) -> bool:
    """Whether pool and endpoint picker of the new chart exist and run."""
    pool, picker = chart.pool, chart.endpoint_picker
    is_there = pool is not None and not pool.meta.deleting
    return chart.is_installed and is_there and picker is not None and picker.has_leader


def _is_known(route: HTTPRoute | None, live: InferencePool | None, pool: str, parents: Sequence[Parent]) -> bool:
    """Whether the Gateways have prepared for the announced `pool`, whose object is `live`, if they report status."""
    if not _takes_announcements(parents):
        return True
    is_announced = route is not None and any(pool in rule.pools for rule in route.rules)
    return is_announced and all(_has_accepted(parent, route, live) for parent in parents if parent.writes_status)


def _takes_announcements(parents: Sequence[Parent]) -> bool:
    return all(parent.takes_headers for parent in parents)


def _has_accepted(parent: Parent, route: HTTPRoute | None, pool: InferencePool | None) -> bool:
    """Whether the controller of a Gateway has accepted route and pool in their current generations."""
    return all(
        attached is not None
        and (entry := status_from(parent, attached)) is not None
        and all(entry.says(type_, attached.meta.generation) for type_ in ("Accepted", "ResolvedRefs"))
        for attached in (route, pool)
    )


def _is_told_ready(workspace: WorkspaceRecord, pool: str) -> bool:
    """Whether the status says for the current generation that the model is reached through `pool`."""
    status = workspace.status
    ready = find(status.conditions, ConditionType.GATEWAY_READY)
    is_ready = ready is not None and ready.is_true and ready.speaks_of(workspace.meta.generation)
    return is_ready and status.gateway is not None and status.gateway.pool == pool
