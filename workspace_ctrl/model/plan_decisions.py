"""The decisions of planning, which readiness reports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.status import PodsStatus
from workspace_ctrl.model.canary import CanaryDecision
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.listeners import Listener, ParentReference
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
    GROUP = "group"
    CANARY = "canary"
    OBJECTIVES = "objectives"
    AUTOSCALING = "autoscaling"
    DISRUPTION_BUDGET = "disruptionBudget"
    BODY_ROUTER = "bodyRouter"
    ENDPOINTS = "endpoints"
    PROBE = "probe"


CONDITIONS: Final[Mapping[LinkName, ConditionType]] = {
    LinkName.SPEC: ConditionType.WORKLOAD_ACCEPTED,
    LinkName.WORKLOAD: ConditionType.WORKLOAD_ACCEPTED,
    LinkName.GATEWAY: ConditionType.ROUTE_READY,
    LinkName.SOURCE: ConditionType.CHART_READY,
    LinkName.RELEASE: ConditionType.CHART_READY,
    LinkName.ENDPOINT_PICKER: ConditionType.ENDPOINT_PICKER_READY,
    LinkName.POOL: ConditionType.ROUTE_READY,
    LinkName.ROUTE: ConditionType.ROUTE_READY,
    LinkName.GROUP: ConditionType.GROUP_READY,
    LinkName.CANARY: ConditionType.CANARY_PROGRESSING,
    LinkName.OBJECTIVES: ConditionType.OBJECTIVES_READY,
    LinkName.AUTOSCALING: ConditionType.AUTOSCALING,
    LinkName.DISRUPTION_BUDGET: ConditionType.DISRUPTION_BUDGET_READY,
    LinkName.BODY_ROUTER: ConditionType.GATEWAY_READY,
    LinkName.ENDPOINTS: ConditionType.ENDPOINTS_READY,
    LinkName.PROBE: ConditionType.GATEWAY_READY,
}
"""Link → the condition that has its reason first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a link does not hold, as found by planning."""

    link: LinkName
    reason: str
    message: str
    terminal: bool = False
    """Whether it needs a change by a user, so that waiting does not help."""
    by_settings: bool = False
    """Whether the installation's settings cause it, and not the Workspace."""
    in_progress: bool = False
    """Whether it passes by itself in a moment, so that the link has not failed."""
    field: str = ""
    """Path of the field of the Workspace that is rejected, as in `SpecError`; empty if the problem is not that of one field."""

    @property
    def condition(self) -> ConditionType:
        """The condition that has its reason first."""
        return CONDITIONS[self.link]


@dataclass(frozen=True, slots=True)
class Parent:
    """The Gateway that a Workspace is attached to."""

    gateway: Gateway
    section: str
    """Name of the listener; empty for all that accept the route."""
    controller: str
    """controllerName of its class: only status entries of that controller count."""
    class_title: str
    port: int = 0
    """Port of the listeners; 0 for any."""
    writes_status: bool = True
    """Whether that controller writes the status of Gateway, HTTPRoute and InferencePool."""
    takes_headers: bool = True
    """Whether the class supports header matches."""
    takes_timeouts: bool = True
    """Whether the class accepts routes with `timeouts`."""
    timeout_policy: str = ""
    """Kind of the policy that limits the duration of an answer instead; empty if the class takes timeouts."""
    note: str = ""
    """A remark on the class for messages."""
    divides: str = "weights"
    """How the class divides the requests of a route among InferencePools, as in its profile."""
    lists_models: bool = True
    """Whether the class forwards GET /v1/models to the model server."""
    service: tuple[str, int] | None = None
    """Host name and port inside the cluster for a Gateway that reports no address."""
    pool_remedy: str = ""
    """What to do if that controller does not know InferencePools, or reports no status of them."""
    lost_status_remedy: str = ""
    """What to do if it reports the status of some pools and has lost that of others; empty if that does not happen."""
    companion: str = ""
    """Kind of an object that the class needs in addition to the pool."""
    body_router_remedy: str = ""
    """How to get routing by the request body if no body-based router can be installed for the class; empty if one can."""
    access_policies: str = ""
    """Kinds of the policies by which the class rejects clients that are not authorized; empty if they are not known."""
    rate_policies: str = ""
    """Kinds of the policies by which it limits the rate of requests; empty if they are not known."""
    listener_problem: "Problem | None" = None
    """Why no listener accepts the route, according to the Gateway's spec; the status of its controller takes precedence."""
    listeners: tuple[Listener, ...] = ()
    """Listeners that accept the route, according to the Gateway's spec."""

    @property
    def reference(self) -> ParentReference:
        """What a route names as its parent."""
        return ParentReference(self.gateway.ref, self.section, self.port)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How an InferenceSet is scaled by load."""

    scaled_object: ObjectRef
    least: int
    """Fewest copies."""
    most: int
    """Most copies."""
    held_seconds: int = 0
    """How long a request is held at most while no copy is ready; 0 if none is held."""
    shortest_hold: float | None = None
    """For how many seconds each Gateway waits for the endpoint picker that holds a request; None if that is not known, or has no limit."""
    unheld: str = ""
    """Why requests to a set without copies would be lost, so that the last copy stays although the spec wants zero; empty if they are
    held."""

    @property
    def holds(self) -> bool:
        """Whether requests are held while no copy is ready."""
        return self.held_seconds > 0


@dataclass(frozen=True, slots=True)
class EvictionLimit:
    """How many copies of a model server may be evicted at a time."""

    budget: ObjectRef
    """Our PodDisruptionBudget."""
    max_unavailable: int | str
    """Number of copies, or their percentage as text."""
    users: tuple[ObjectRef, ...] = ()
    """PodDisruptionBudgets of users that select the pods, so that ours is not made."""


@dataclass(frozen=True, slots=True)
class MemberShare:
    """A member of a group, as it is planned."""

    ref: ObjectRef
    weight: int
    """As wanted; 0 for a fallback, and for a canary its percentage."""
    is_fallback: bool
    is_ready: bool
    is_canary: bool = False


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """What planning has decided for the group of a Workspace."""

    name: str
    parents: tuple[Parent, ...] = ()
    """The Gateways of its route."""
    hostnames: tuple[str, ...] = ()
    path: str = ""
    """Path prefix of the group on the Gateways; empty if there is none."""
    members: tuple[MemberShare, ...] = ()
    """The oldest first."""
    canary: CanaryDecision | None = None
    """How far the Workspace is, if it is a canary."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The result of planning, besides the steps."""

    gateway_wanted: bool = False
    names: Names | None = None
    workload_kind: str = ""
    """Deployment or StatefulSet once the API server has accepted the workload; else the kind of the referenced object."""
    reference: ObjectRef | None = None
    """The referenced object of the pods; its name is empty if the pods are selected by labels only."""
    parents: tuple[Parent, ...] = ()
    """The Gateways; each must route to the model."""
    hostnames: tuple[str, ...] = ()
    path: str = ""
    """Path prefix of the model on the Gateways; empty if there is none."""
    api: tuple[str, ...] = ()
    """The paths of the API that the referenced route reaches under `path`; empty for all, or if that is not known."""
    probe_path: str = ""
    """Path of the probe request that the Workspace sets; empty for the default."""
    probe_codes: tuple[int, ...] = ()
    """HTTP status codes that count as an answer to it."""
    any_server: bool = False
    """Whether the model server may be one without a list of models."""
    by_header: bool = False
    """Whether requests are matched by the header with the model name, and there is no catch-all match."""
    wants_header: bool = False
    """Whether our route should match that header; a referenced route is not checked for it."""
    named_route: ObjectRef | None = None
    """The referenced HTTPRoute that is used instead of ours."""
    named_pool: ObjectRef | None = None
    """The referenced InferencePool that is used instead of the chart's; no chart is installed then."""
    model_names: tuple[str, ...] = ()
    group: GroupDecision | None = None
    """What is decided for the group of the Workspace; None without one."""
    objectives: tuple[str, ...] = ()
    """Names of the InferenceObjectives that the Workspace wants."""
    objective_kinds: tuple[str, ...] = ()
    """Their kinds that the endpoint picker reads first, as in references; empty if it is not known."""
    node_count: int = 0
    node_labels: str = ""
    """Labels that nodes need, in kubectl's notation of selectors; empty for any node, and if others decide that."""
    inference_set: ObjectRef | None = None
    """The InferenceSet; None for a Workspace."""
    replicas: int | None = None
    """Number of copies of an InferenceSet that are to exist; None for a Workspace, or while it is not known."""
    copies: tuple[ObjectRef, ...] = ()
    """Their workloads: a Deployment, or a StatefulSet for each if the model needs several nodes."""
    scaling: Scaling | None = None
    """How they are scaled by load; None if they are not."""
    eviction_limit: EvictionLimit | None = None
    """None without several copies, or where the installation creates no PodDisruptionBudgets."""
    has_outdated_copies: bool = False
    """Whether one of those has, before the steps, pods of an older template."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the pods that serve requests; empty while the kind of the workload is not known."""
    sizing: str = ""
    assumed: str = ""
    """What was assumed in sizing, because it is not known; empty if nothing was."""
    notes: tuple[str, ...] = ()
    """What of the Workspace has no effect, and what was assumed for the model server or left out of its settings, as warnings for the
    author."""
    pods: PodsStatus | None = None
    """What the pods are made from; None if that is not known, so that the earlier one stays."""
    waiting: tuple[ObjectRef, ...] = ()
    """Objects that another version of the controller would change; the notes say so."""
    problems: tuple[Problem, ...] = ()

    @property
    def zero(self) -> ObjectRef | None:
        """The InferenceSet, if it is scaled to 0."""
        return self.inference_set if self.replicas == 0 else None

    def problem(self, *links: LinkName) -> Problem | None:
        """Return the first problem of one of `links`."""
        return first_problem(self.problems, *links)


def first_problem(problems: Iterable[Problem], *links: LinkName) -> Problem | None:
    """Return the first problem of one of `links`, or None."""
    return next((problem for problem in problems if problem.link in links), None)
