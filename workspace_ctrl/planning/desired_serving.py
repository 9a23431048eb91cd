"""What serves a model, and through which Gateways requests are to reach it."""

from collections.abc import Mapping
from dataclasses import dataclass

from workspace_ctrl.api.gateway_spec import Objective
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.model.plan_decisions import Problem, Scaling
from workspace_ctrl.planning.chart.flux_objects import pool_selector
from workspace_ctrl.planning.gateway.parents import Chosen
from workspace_ctrl.planning.gateway.route import Routing
from workspace_ctrl.planning.workload.model_server import ModelServer


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
    notes: tuple[str, ...] = ()
    """What of the model names is not served, and which path is the group's, as warnings for the author."""

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


def route_ref(spec: GatewaySpec | None) -> str:
    """Return the name of the HTTPRoute that `gateway.httpRouteRef` names; empty where ours is applied."""
    return spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
