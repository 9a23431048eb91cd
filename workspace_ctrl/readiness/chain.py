"""The chain as a table: which link follows which, when each applies, and what each reads.

Only this table knows where a link's records come from: a link function takes the records, never the whole snapshot. Where planning has
found a problem, the problem stands for the link. Each pass evaluates the table once; the links that depend on requests through the
Gateway follow when their result is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVarTuple

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.attachment_status import SILENT_SECONDS
from workspace_ctrl.model.canary import CanaryDecision, CanaryPlan, CanaryState
from workspace_ctrl.model.plan_decisions import Decisions, GroupDecision, LinkName
from workspace_ctrl.model.probe_results import ProbeTarget
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.body_routers import blocking_link, body_routing_link
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.chart import Installation, release_link, source_link
from workspace_ctrl.readiness.endpoint_picker import endpoint_picker_link
from workspace_ctrl.readiness.gateway import (
    POOL_MISSING,
    POOL_OUTDATED,
    REFS_UNRESOLVED,
    SILENT,
    WAITING_FOR_GATEWAY,
    ObservedPool,
    endpoints_link,
    gateway_link,
    pool_link,
    route_link,
    silent,
)
from workspace_ctrl.readiness.objectives import objectives_link
from workspace_ctrl.readiness.probe import ModelAddress, probe_link, probe_targets
from workspace_ctrl.readiness.scaling.autoscaling import autoscaling_link, is_silent, wakes
from workspace_ctrl.readiness.scaling.disruption_budget import disruption_budget_link
from workspace_ctrl.readiness.traffic.canary import canary_link
from workspace_ctrl.readiness.traffic.group import group_link
from workspace_ctrl.readiness.workload import workload_link
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.pods import failing

Inputs = TypeVarTuple("Inputs")


class ChainRow(Protocol):
    """One row of the table, whatever its link reads."""

    @property
    def name(self) -> LinkName:
        """The link."""

    def evaluate(self, snapshot: Snapshot, decisions: Decisions) -> Link | None:
        """Return the link; None if it does not apply."""


@dataclass(frozen=True, slots=True)
class LinkRow(Generic[*Inputs]):
    """One link of the chain."""

    name: LinkName
    applies: Callable[[Snapshot, Decisions], bool]
    inputs: Callable[[Snapshot, Decisions], tuple[*Inputs]]
    """What the link function reads."""
    link: Callable[[*Inputs], Link | None]
    """Returns None if the link has nothing to report."""
    problems: tuple[LinkName, ...] = ()
    """Further names of problems that stand for this link, before those of its own name."""

    def evaluate(self, snapshot: Snapshot, decisions: Decisions) -> Link | None:
        """Return the link, or the problem that stands for it; None if it does not apply."""
        if not self.applies(snapshot, decisions):
            return None
        problem = decisions.problem(*self.problems, self.name)
        return Link.of_problem(problem) if problem is not None else self.link(*self.inputs(snapshot, decisions))


@dataclass(frozen=True, slots=True)
class Report:
    """What one evaluation of the chain has found."""

    links: tuple[Link, ...]
    """The links that apply, in their order; that of requests through the Gateway only after `with_requests`."""
    probe_targets: tuple[ProbeTarget, ...] = ()
    """Where to send requests now; nowhere while a link does not hold."""
    optional: tuple[Link, ...] = ()
    """Links with a condition of their own that are no part of GatewayReady; only after `with_requests`."""

    @property
    def awaited(self) -> str:
        """What a Gateway's controller has to report, as a reason; empty for nothing.

        It is a status of pool or route, or one of the pool that is not outdated.
        """
        reasons = {link.reason for link in self.links}
        if reasons & {WAITING_FOR_GATEWAY, SILENT}:
            return WAITING_FOR_GATEWAY
        return POOL_OUTDATED if POOL_OUTDATED in reasons else ""

    @property
    def decisive(self) -> Link | None:
        """The link because of which GatewayReady is not True; None if all hold.

        The first one in order, but a clear failure goes before a link that only waits: what it waits for may be that failure. Model
        servers that are not ready yet are no clear failure, nor is a route that does not find a pool that does not exist yet.
        """
        waiting = next((link for link in self.links if not link.holds), None)
        is_pool_missing = any(link.name is LinkName.POOL and link.reason == POOL_MISSING for link in self.links)
        failed = (link for link in self.links if link.status is Status.FALSE and link.name is not LinkName.ENDPOINTS)
        clear = (link for link in failed if not (is_pool_missing and link.reason == REFS_UNRESOLVED))
        return next(clear, None) or waiting


def evaluate(snapshot: Snapshot, decisions: Decisions) -> Report:
    """Return the links from the Workspace to a request; without the gateway side, only the workload's."""
    found = {row.name: link for row in CHAIN if (link := row.evaluate(snapshot, decisions)) is not None}
    is_rejected = _is_rejected(found.get(LinkName.ROUTE)) and pool_of(snapshot, decisions) is not None
    links = _route_before_pool(found) if is_rejected else tuple(found.values())
    if snapshot.ages.attachment >= SILENT_SECONDS:
        links = tuple(silent(link, decisions.parents) if _is_unheard(link) else link for link in links)
    is_reachable = decisions.gateway_wanted and all(link.holds for link in links)
    return Report(links, _targets(snapshot, decisions) if is_reachable else ())


def with_requests(report: Report, snapshot: Snapshot, decisions: Decisions) -> Report:
    """Return the report of the same decisions with the links that depend on requests, whose newest result `snapshot` has."""
    answer = PROBE.evaluate(snapshot, decisions)
    optional = tuple(link for row in OPTIONAL if (link := row.evaluate(snapshot, decisions)) is not None)
    return replace(report, links=(*report.links, *((answer,) if answer is not None else ())), optional=optional)


def route_of(snapshot: Snapshot, decisions: Decisions) -> HTTPRoute | None:
    """Return the route to the pool: that of gateway.httpRouteRef if set, else ours."""
    return snapshot.named_route if decisions.named_route is not None else snapshot.route


def pool_of(snapshot: Snapshot, decisions: Decisions) -> InferencePool | None:
    """Return the pool: that of gateway.pool.ref if set, else the one of the chart."""
    return snapshot.named_pool if decisions.named_pool is not None else snapshot.pool


def _observed_pool(snapshot: Snapshot, decisions: Decisions) -> ObservedPool:
    pool = pool_of(snapshot, decisions)
    return ObservedPool(pool, has_picker=pool is not None and snapshot.chart.has_picker_of(pool))


def installation_of(snapshot: Snapshot) -> Installation:
    """Return the Flux objects of the chart."""
    return Installation(snapshot.source, snapshot.release, snapshot.ages.release)


def _is_unheard(link: Link) -> bool:
    return link.status is Status.UNKNOWN and link.reason == WAITING_FOR_GATEWAY


def _is_rejected(route: Link | None) -> bool:
    return route is not None and route.status is Status.FALSE and route.reason != REFS_UNRESOLVED


def _route_before_pool(links: Mapping[LinkName, Link]) -> tuple[Link, ...]:
    """Return the links with a rejected route before its pool, which controllers then reject only because of the route."""
    names: list[LinkName] = [name for name in links if name is not LinkName.ROUTE]
    names.insert(names.index(LinkName.POOL), LinkName.ROUTE)
    return tuple(links[name] for name in names)


def held_of(snapshot: Snapshot, decisions: Decisions) -> str:
    """Return that requests are held until the first copy of an InferenceSet is ready; empty if they are not, or one is ready."""
    scaled, staying = snapshot.scaled_object, [pod for pod in snapshot.pods if not pod.meta.deleting]
    if decisions.zero is not None and (scaled is None or not scaled.scales or is_silent(snapshot.load_unread_for)):
        return ""  # nothing would start a copy
    if decisions.zero is None and (any(pod.ready for pod in staying) or any(failing(staying))):
        return ""
    return wakes(decisions.scaling, decisions.replicas, snapshot.cold_start)


def _targets(snapshot: Snapshot, decisions: Decisions) -> tuple[ProbeTarget, ...]:
    if held_of(snapshot, decisions):
        return ()  # a request would start a copy
    namespace = snapshot.namespace.meta.ref.name if snapshot.namespace is not None else ""
    return probe_targets(decisions.parents, snapshot.gateway_services, ModelAddress.of(decisions, namespace))


def _always(_snapshot: Snapshot, _decisions: Decisions) -> bool:
    return True


def _behind_gateway(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.gateway_wanted


def _with_chart(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.gateway_wanted and decisions.named_pool is None


def _is_probed(snapshot: Snapshot, decisions: Decisions) -> bool:
    if held_of(snapshot, decisions) or (snapshot.probe is None and snapshot.cold_start.is_recent):
        return False
    return decisions.gateway_wanted and snapshot.probing


def _is_autoscaled(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.scaling is not None or decisions.problem(LinkName.AUTOSCALING) is not None


def _is_copied(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.eviction_limit is not None


def _by_body(snapshot: Snapshot, decisions: Decisions) -> bool:
    is_wanted = decisions.gateway_wanted and decisions.wants_header
    return is_wanted and snapshot.body_routers is not None and bool(decisions.parents)


def _with_objectives(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.gateway_wanted and bool(decisions.objectives)


def _in_group(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.gateway_wanted and decisions.group is not None


def _group_of(decisions: Decisions) -> GroupDecision:
    return decisions.group or GroupDecision("")


def _is_canary(_snapshot: Snapshot, decisions: Decisions) -> bool:
    return decisions.gateway_wanted and decisions.group is not None and decisions.group.canary is not None


def _canary_of(decisions: Decisions) -> CanaryDecision:
    return _group_of(decisions).canary or CanaryDecision(CanaryPlan("", (), 0.0), CanaryState(""))


def group_route(snapshot: Snapshot, decisions: Decisions) -> HTTPRoute | None:
    """Return the HTTPRoute with the name of the Workspace's group."""
    group = snapshot.group(decisions.group.name) if decisions.group is not None else None
    return group.route if group is not None else None


def _missing_kinds(snapshot: Snapshot) -> tuple[str, ...]:
    chart = snapshot.chart
    return chart.missing() if chart.is_installed else ()


def _expected_picker(decisions: Decisions) -> str:
    return f"Deployment {decisions.names.endpoint_picker}" if decisions.names else "Deployment of the endpoint picker"


def _expected_pool(decisions: Decisions) -> str:
    return str(decisions.named_pool or (f"InferencePool {decisions.names.release}" if decisions.names else "InferencePool"))


CHAIN: Final[tuple[ChainRow, ...]] = (
    LinkRow(
        LinkName.WORKLOAD,
        applies=_always,
        inputs=lambda _, decisions: (decisions.workload_kind, decisions.reference, decisions.sizing),
        link=workload_link,
        problems=(LinkName.SPEC,),
    ),
    LinkRow(
        LinkName.GATEWAY,
        applies=_behind_gateway,
        inputs=lambda snapshot, decisions: (decisions.parents, snapshot.gateway_proxies, decisions.named_route),
        link=gateway_link,
    ),
    LinkRow(
        LinkName.SOURCE,
        applies=_with_chart,
        inputs=lambda snapshot, _: (snapshot.source, snapshot.ages.source),
        link=source_link,
    ),
    LinkRow(
        LinkName.RELEASE,
        applies=_with_chart,
        inputs=lambda snapshot, _: (installation_of(snapshot),),
        link=release_link,
    ),
    LinkRow(
        LinkName.ENDPOINT_PICKER,
        applies=_with_chart,
        inputs=lambda snapshot, decisions: (
            snapshot.endpoint_picker,
            snapshot.picker_pods,
            installation_of(snapshot),
            _missing_kinds(snapshot),
            _expected_picker(decisions),
        ),
        link=endpoint_picker_link,
    ),
    LinkRow(
        LinkName.POOL,
        applies=_behind_gateway,
        inputs=lambda snapshot, decisions: (
            _observed_pool(snapshot, decisions),
            decisions.parents,
            snapshot.companion,
            installation_of(snapshot),
            _expected_pool(decisions),
        ),
        link=pool_link,
    ),
    LinkRow(
        LinkName.ROUTE,
        applies=_behind_gateway,
        inputs=lambda snapshot, decisions: (route_of(snapshot, decisions), decisions.parents),
        link=route_link,
    ),
    LinkRow(
        LinkName.BODY_ROUTER,
        applies=_behind_gateway,
        inputs=lambda snapshot, decisions: (decisions.parents, snapshot.body_routers),
        link=blocking_link,
    ),
    LinkRow(
        LinkName.ENDPOINTS,
        applies=_behind_gateway,
        inputs=lambda snapshot, decisions: (
            pool_of(snapshot, decisions),
            snapshot.pods,
            snapshot.sibling_pools,
            decisions.zero,
            held_of(snapshot, decisions),
        ),
        link=endpoints_link,
    ),
)
"""GatewayReady is True only if all of these hold, and the answer to a request through the Gateway."""

PROBE: Final[ChainRow] = LinkRow(
    LinkName.PROBE,
    applies=_is_probed,
    inputs=lambda snapshot, decisions: (snapshot.probe, decisions.parents, decisions.model_names),
    link=probe_link,
)
"""The last link: requests are sent while all others hold, so it is evaluated after them."""

OPTIONAL: Final[tuple[ChainRow, ...]] = (
    LinkRow(
        LinkName.BODY_ROUTER,
        applies=_by_body,
        inputs=lambda snapshot, decisions: (decisions.parents, snapshot.body_routers or {}, snapshot.probe),
        link=body_routing_link,
    ),
    LinkRow(
        LinkName.GROUP,
        applies=_in_group,
        inputs=lambda snapshot, decisions: (_group_of(decisions), group_route(snapshot, decisions)),
        link=group_link,
    ),
    LinkRow(
        LinkName.CANARY,
        applies=_is_canary,
        inputs=lambda _, decisions: (_canary_of(decisions),),
        link=canary_link,
    ),
    LinkRow(
        LinkName.OBJECTIVES,
        applies=_with_objectives,
        inputs=lambda snapshot, decisions: (decisions.objectives, snapshot.objectives, decisions.objective_kinds),
        link=objectives_link,
    ),
    LinkRow(
        LinkName.AUTOSCALING,
        applies=_is_autoscaled,
        inputs=lambda snapshot, decisions: (snapshot.scaled_object, decisions.scaling, snapshot.load_unread_for),
        link=autoscaling_link,
    ),
    LinkRow(
        LinkName.DISRUPTION_BUDGET,
        applies=_is_copied,
        inputs=lambda snapshot, decisions: (decisions.eviction_limit, snapshot.budgets),
        link=disruption_budget_link,
    ),
)
"""Links with a condition of their own: requests by path and header are answered without them."""
