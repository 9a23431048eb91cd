"""The steps to the route: ours, or none where the Workspace refers to one of the user's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workspace_ctrl.api.names import Names
from workspace_ctrl.model.attachment_status import SILENT_SECONDS, reports_missing_picker
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.gateway.referenced_route import check_route
from workspace_ctrl.planning.gateway.route import Routing, http_route, routing_problems, timeout_notes
from workspace_ctrl.planning.gateway.user_route_url import reach_of
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.meta import Meta


@dataclass(frozen=True, slots=True)
class RoutedPool:
    """The pool to which the route leads."""

    record: InferencePool | None
    """None if it does not exist: the Gateway would answer all requests of a route to it with 500."""
    has_picker: bool
    """Whether the Service that it names as its endpoint picker exists."""
    waiting: float
    """For how many seconds a status of it has been waited for."""

    def status_request(self, parents: Sequence[Parent], live: HTTPRoute | None) -> str:
        """Return what the route of the pool, which is `live` now, has as its request for a new status; empty for no request.

        Controllers look at a pool again when a route to it changes. One that reports the same again gets a second request after a minute,
        as it may have seen the route before the Service, and then no further one.
        """
        if self.record is None or not self.has_picker or not any(reports_missing_picker(self.record, parent) for parent in parents):
            return ""
        first = f"generation-{self.record.meta.generation}"
        second = f"{first}-again"
        is_second = self.waiting >= SILENT_SECONDS or (live is not None and live.status_request == second)
        return second if is_second else first


@dataclass(frozen=True, slots=True)
class WantedRoute:
    """The route that a Workspace asks for, and what decides how much of it is granted."""

    names: Names
    asked: Routing
    moving: Problem | None
    """That requests still go to the pool of a former chart."""
    header_names: tuple[str, ...]
    """Model names that may be matched by header."""
    aliases: tuple[str, ...]
    """Those of them that are in gateway.aliases."""
    refused: tuple[Problem, ...]
    """Requested matches that the Workspace may not have."""
    pool: RoutedPool
    taken: Mapping[RouteClaim, str]
    """Claims of the Workspace that an older one already has."""
    of_members: frozenset[RouteClaim] = frozenset()
    """Which of these another member of its group has, so that they are left out without being a conflict."""


def plan_route(draft: PlanBuilder, decisions: Decisions, wanted: WantedRoute, live: HTTPRoute | None) -> Decisions:
    """Plan our route, without matches that an older Workspace already has; return the decisions with what is granted."""
    parents, asked = decisions.parents, wanted.asked
    conflicts = {claim: holder for claim, holder in wanted.taken.items() if claim not in wanted.of_members}
    is_preset = not decisions.any_server
    problems = routing_problems(asked, wanted.header_names, conflicts, parents, aliases=wanted.aliases, is_preset=is_preset)
    draft.report(*wanted.refused, wanted.moving, *problems)
    granted = asked.without(wanted.taken)
    if not granted.leads_anywhere or not asked.is_claimable(parents):
        draft.delete(_metas(live))
    elif parents and (wanted.pool.record is not None or wanted.moving is not None):
        request = wanted.pool.status_request(parents, live)
        variant = (granted, tuple((each.gateway.ref, each.section, each.takes_timeouts) for each in parents), request)
        manifest = draft.manifest("route", lambda: http_route(draft.owner, wanted.names, parents, granted, request), variant)
        draft.apply(manifest, LinkName.ROUTE)
    path, by_header = granted.path.rstrip("/"), bool(granted.headers) and not granted.catch_all
    return replace(
        decisions,
        hostnames=granted.hostnames,
        path=path,
        by_header=by_header and path != "",
        wants_header=bool(asked.headers),
        notes=(*decisions.notes, *timeout_notes(asked, parents, decisions.named_pool)),
    )


def check_named_route(
    draft: PlanBuilder, decisions: Decisions, named: HTTPRoute | None, pool: str, own: HTTPRoute | None
) -> Decisions:
    """Check the referenced route; our own is deleted once the referenced one routes to `pool`."""
    ref = decisions.named_route
    problem = check_route(named, ref, pool, decisions.model_names) if ref is not None else None
    draft.report(problem)
    if named is None or problem is not None:
        return decisions
    draft.delete(_metas(own))
    reach = reach_of(named, pool)
    return replace(decisions, hostnames=named.hostnames, path=reach.path, api=reach.api)


def _metas(route: HTTPRoute | None) -> tuple[Meta, ...]:
    return (route.meta,) if route is not None else ()
