"""What serves a model, and through which Gateways requests are to reach it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workspace_ctrl.api.gateway_spec import Objective
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.model.plan_decisions import Problem, Scaling
from workspace_ctrl.planning.chart.chart_migration import Migration, migration
from workspace_ctrl.planning.chart.flux_objects import pool_selector
from workspace_ctrl.planning.gateway.parents import Chosen
from workspace_ctrl.planning.gateway.route import Routing, header_problem, path_problem, routing
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.traffic.group_steps import DesiredGroup
from workspace_ctrl.planning.traffic.handover import keeps_name, path_note, without_path_of_group
from workspace_ctrl.planning.workload.model_names import names_in_spec
from workspace_ctrl.planning.workload.model_server import ModelServer
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class DesiredRoute:
    """The Gateways of a Workspace, and the requests that they route to it."""

    chosen: Chosen
    asked: Routing
    moving: Problem | None = None
    """That requests still go to the pool of a former chart."""
    header_names: tuple[str, ...] = ()
    """Model names that may be matched by header."""
    refused: tuple[Problem, ...] = ()
    """Requested matches that the Workspace may not have."""
    note: str = ""
    """That its path is that of its group, as a warning for the author; empty if it is not."""

    def asked_for(self, scaling: Scaling | None) -> Routing:
        """Return what the route is to match, with the time for an answer that requests need which `scaling` holds."""
        return self.asked.held(scaling.held_seconds if scaling is not None else 0)

    @property
    def companion_kind(self) -> str:
        """The kind that the GatewayClass needs in addition to the pool; empty if none does."""
        return next((parent.companion for parent in self.chosen.parents if parent.companion), "")


@dataclass(frozen=True, slots=True)
class DesiredServing:
    """What serves the model, and how it is reached; known once the model server is."""

    spec: Workspace
    server: ModelServer
    names: Names
    model_names: tuple[str, ...]
    objectives: Mapping[str, Objective]
    """The InferenceObjectives, by the names of their objects."""
    route: DesiredRoute
    note: str = ""
    """What of the model names is not served, as a warning for the author; empty if all are, or if it is not known."""

    def selector(self, workload_kind: str) -> Mapping[str, str]:
        """Return the labels of the pods that serve requests, of a workload of that kind."""
        return self.server.selector or pool_selector(self.names.workspace, workload_kind)

    @property
    def gateway(self) -> GatewaySpec | None:
        """The `gateway` field of the Workspace."""
        return self.spec.gateway

    @property
    def pool_ref(self) -> str:
        """Name of the pool that `gateway.pool.ref` names; empty where ours is installed."""
        return self.spec.gateway.pool_ref if self.spec.gateway is not None else ""

    @property
    def route_ref(self) -> str:
        """Name of the HTTPRoute that `gateway.httpRouteRef` names; empty where ours is applied."""
        return route_ref(self.spec.gateway)


def desired_route(  # noqa: PLR0917 - all that a route depends on
    spec: Workspace,
    server: ModelServer,
    models: Sequence[str],
    own_pool: str,
    chosen: Chosen,
    workspace: WorkspaceRecord,
    chart: ChartObjects,
    live: HTTPRoute | None,
    settings: PlanSettings,
    group: DesiredGroup | None,
) -> DesiredRoute:
    """Return what is to be routed from the Gateways `chosen` to the model with these names, whose pool is to be `own_pool`.

    `chart` and `live` are the chart and the route of the Workspace as they are, and `group` is that of which it is a member.
    """
    ref, makes_route = workspace.meta.ref, not route_ref(spec.gateway)
    moves = makes_route and own_pool != (spec.gateway.pool_ref if spec.gateway is not None else "")
    leads = migration(chart, live, own_pool, chosen.parents) if moves else Migration(own_pool)
    named = tuple(models) if settings.match_reported_names else names_in_spec(spec, server)
    asked_for_all = routing(ref, spec.gateway, leads.pool, named, settings)
    # The name of the group leads to the group, unless the member keeps it.
    is_of_group = workspace.group in named and not keeps_name(asked_for_all, group, chosen.parents, live)
    in_header = tuple(name for name in named if name != workspace.group) if is_of_group else named
    asked_for = routing(ref, spec.gateway, leads.pool, in_header, settings) if is_of_group else asked_for_all
    wanted = replace(asked_for, announced=leads.announced)
    asked = without_path_of_group(wanted, ref, group, chosen.parents, live) if makes_route else wanted
    refused = path_problem(ref, asked, chosen.parents, settings) if makes_route else None
    # Names that only the model server reports follow later, from a probe through the route without them.
    is_unnamed = makes_route and not named and not settings.match_reported_names
    unnamed = header_problem(spec.gateway, models) if is_unnamed else None
    return DesiredRoute(
        chosen,
        replace(asked, path="") if refused is not None else asked,
        leads.problem,
        in_header,
        tuple(filter(None, (refused, unnamed))),
        path_note(wanted, asked, ref, group, chosen.parents) if makes_route else "",
    )


def route_ref(spec: GatewaySpec | None) -> str:
    """Return the name of the HTTPRoute that `gateway.httpRouteRef` names; empty where ours is applied."""
    return spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
