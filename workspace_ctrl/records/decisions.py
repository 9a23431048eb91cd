"""What planning decided and readiness reports: the meeting point of the two, which do not know each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from workspace_ctrl.api.names import Names
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import ObjectRef


class LinkName(StrEnum):
    """The links of the chain from a Workspace to an answered request, in their order."""

    SPEC = "spec"
    WORKLOAD = "workload"
    GATEWAY = "gateway"
    SOURCE = "source"
    RELEASE = "release"
    ENDPOINT_PICKER = "endpointPicker"
    POOL = "pool"
    ROUTE = "route"
    OBJECTIVES = "objectives"
    BODY_ROUTER = "bodyRouter"
    ENDPOINTS = "endpoints"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a link cannot be made."""

    link: LinkName
    reason: str
    message: str
    terminal: bool = False
    """Whether only a person can help, so that waiting is of no use."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The Gateway that a Workspace is attached to."""

    gateway: Gateway
    section: str
    """Name of the listener; empty for all that admit the route."""
    controller: str
    """controllerName of its class: only that controller's words on the attachment count."""
    class_title: str
    writes_status: bool = True
    """Whether that controller says anything in the status of Gateway, HTTPRoute and InferencePool."""
    takes_headers: bool = True
    """Whether the class knows rules that match by headers."""
    note: str = ""
    """What to know of the class, for people."""
    lists_models: bool = True
    """Whether the class leads GET /v1/models to the model server."""
    service: tuple[str, int] | None = None
    """Host name and port by which a Gateway that tells no address is reached inside the cluster."""
    companion: str = ""
    """Kind of an object that the class needs beside the pool."""
    body_router_remedy: str = ""
    """What to do so that requests are led by their body, where no body-based router can be installed for the class; empty where one can."""
    obstacle: "Problem | None" = None
    """Why no listener can take the route, as far as that can be told from the Gateway; its controller has the last word."""
    listeners: tuple[Listener, ...] = ()
    """Those that take the route, as far as that can be told from the Gateway."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The outcome of planning, beside the steps."""

    gateway_wanted: bool = False
    names: Names | None = None
    workload_kind: str = ""
    """Deployment or StatefulSet, once the API server has accepted the workload; the kind of somebody else's object."""
    reference: ObjectRef | None = None
    """Somebody else's object that makes the pods; its name is empty where only labels tell them."""
    parents: tuple[Parent, ...] = ()
    """The Gateways; each must lead to the model."""
    hostnames: tuple[str, ...] = ()
    path: str = ""
    """Path prefix of the model on the Gateways; empty where it has none."""
    by_header: bool = False
    """Whether requests with the model's name in a header are led to it, and nothing else without a path."""
    wants_header: bool = False
    """Whether our route is to lead such requests to it; somebody else's is not looked into for that."""
    named_route: ObjectRef | None = None
    """Somebody else's HTTPRoute that is used instead of ours."""
    named_pool: ObjectRef | None = None
    """Somebody else's InferencePool that is used instead of ours; then no chart is installed."""
    model_names: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    """Names of the InferenceObjectives that the Workspace wants."""
    node_count: int = 0
    sizing: str = ""
    problems: tuple[Problem, ...] = ()

    def problem(self, *links: LinkName) -> Problem | None:
        """Return the first problem of one of `links`."""
        return first_problem(self.problems, *links)


def first_problem(problems: Iterable[Problem], *links: LinkName) -> Problem | None:
    """Return the first problem of one of `links`, or None."""
    return next((problem for problem in problems if problem.link in links), None)
