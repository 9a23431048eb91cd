"""All inputs of one pass over a Workspace, at one moment."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from workspace_ctrl.model.api_query_results import QueryResults
from workspace_ctrl.model.body_router import BodyRouterState
from workspace_ctrl.model.canary import CanaryCount
from workspace_ctrl.model.chart_objects import NO_FORMER_CHARTS, ChartObjects, FormerCharts
from workspace_ctrl.model.chart_verdicts import ChartId, ChartVerdict
from workspace_ctrl.model.cold_start import NO_COLD_START, ColdStart
from workspace_ctrl.model.groups import GroupRecords
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.probe_results import ProbeResult
from workspace_ctrl.model.route_claims import NOTHING_TAKEN, TakenClaims
from workspace_ctrl.records.chart_inventory import ChartObjectId
from workspace_ctrl.records.core_v1 import ConfigMap, Namespace, Node
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, StageAges
from workspace_ctrl.records.gateways import (
    Gateway,
    GatewayClass,
    GatewayProxy,
    GatewayService,
    HTTPRoute,
    InferencePool,
    KthenaModelServer,
)
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.objectives import InferenceObjective
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.scaling import DisruptionBudget, ScaledObject
from workspace_ctrl.records.workloads import NetworkPolicy, PersistentVolumeClaim, ReferencedWorkload, Service, Workload

RecordT = TypeVar("RecordT", Workload, Service, PersistentVolumeClaim, InferenceObjective, DisruptionBudget)


@dataclass(frozen=True, slots=True)
class SiblingPool:
    """The pool of another Workspace to which a rule of a user's route sends a part of the requests."""

    ref: ObjectRef
    workspace: str
    is_empty: bool
    """Whether none of its pods is ready."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The observed objects of one Workspace, and the cluster's Gateways and nodes; None for an object that does not exist."""

    workloads: tuple[Workload, ...] = ()
    """Deployment and StatefulSet of the Workspace's name; of an InferenceSet also the StatefulSets of its copies."""
    services: tuple[Service, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    reference: ReferencedWorkload | None = None
    """The object that `inference.workloadRef` names."""
    reference_problem: str = ""
    """Why its kind cannot be watched; empty if it can."""
    config_map: ConfigMap | None = None
    """The ConfigMap that `inference.config` names."""
    hub_answer: HubAnswer | None = None
    """What the model hub has answered about the Workspace's model; None if it was not asked, or has not answered yet."""
    pods: tuple[Pod, ...] = ()
    source: OCIRepository | None = None
    release: HelmRelease | None = None
    chart_verdicts: Mapping[ChartId, ChartVerdict] | None = None
    """Results of chart checks; None if charts are not checked before their first use."""
    former: FormerCharts = NO_FORMER_CHARTS
    ages: StageAges = field(default_factory=StageAges)
    parts: Mapping[ChartObjectId, int] = field(default_factory=dict)
    """The objects of the chart, with checksums of their content."""
    chart_object_kinds: frozenset[str] = field(default_factory=frozenset)
    """The kinds of the chart's objects that are watched."""
    pruned: bool = False
    """Whether the deletion of objects that Flux left behind was done, or is impossible."""
    has_drifted: bool = False
    """Whether another manager than Flux has changed one of them."""
    endpoint_picker: Workload | None = None
    picker_pods: tuple[Pod, ...] = ()
    """Its pods that have a problem."""
    pool: InferencePool | None = None
    route: HTTPRoute | None = None
    gateway_services: tuple[GatewayService, ...] = ()
    probe: ProbeResult | None = None
    """Result of probes through the Gateways; None while it is not known."""
    probing: bool = False
    """Whether probes are enabled."""
    named_route: HTTPRoute | None = None
    """The route of `gateway.httpRouteRef`."""
    sibling_pools: tuple[SiblingPool, ...] = ()
    """Pools that are in a rule of that route with the Workspace's own, as far as Workspaces have them."""
    named_pool: InferencePool | None = None
    """The pool of `gateway.pool.ref`."""
    companion: KthenaModelServer | None = None
    """The ModelServer that a GatewayClass needs, or needed."""
    companion_problem: str = ""
    """Why ModelServers cannot be watched; empty if they can."""
    excess_references: str = ""
    """Why what the Workspace references is not watched: the namespace has too many references; empty if it has not."""
    network_policy: NetworkPolicy | None = None
    """The NetworkPolicy of a model on several nodes; not watched for others."""
    network_policy_problem: str = ""
    """Why NetworkPolicies cannot be watched; empty if they can."""
    budgets: tuple[DisruptionBudget, ...] = ()
    """All PodDisruptionBudgets of the namespace, of a model server with several copies; not watched for others."""
    budgets_problem: str = ""
    """Why PodDisruptionBudgets cannot be watched; empty if they can."""
    scaled_object: ScaledObject | None = None
    """The ScaledObject of an InferenceSet; not watched for others."""
    scaled_object_problem: str = ""
    """Why ScaledObjects cannot be watched; empty if they can."""
    load_unread_for: float = 0.0
    """For how many seconds KEDA has not read its load, or shown that it lives, as far as that is known; 0 if it is not."""
    cold_start: ColdStart = NO_COLD_START
    """The start of the first copy of an InferenceSet that had none."""
    gateways: tuple[Gateway, ...] = ()
    gateway_classes: tuple[GatewayClass, ...] = ()
    gateway_proxies: tuple[GatewayProxy, ...] = ()
    objectives: tuple[InferenceObjective, ...] = ()
    """InferenceObjectives of the Workspace; not watched until it has some."""
    objectives_problem: str = ""
    """Why InferenceObjectives of the inference extension cannot be watched; empty if they can."""
    objectives_of_llm_d: bool = False
    """Whether the API server has InferenceObjectives of llm-d."""
    body_routers: Mapping[str, BodyRouterState] | None = None
    """The managed body-based routers by Gateway, as namespace/name; None if they are not managed."""
    namespace: Namespace | None = None
    """The Workspace's namespace; None if namespaces cannot be watched."""
    groups: tuple[GroupRecords, ...] = ()
    """The group of the Workspace, and groups that it was a member of whose routes still have it as an owner."""
    canary_count: CanaryCount | None = None
    """What is counted for the Workspace as a canary; None while nothing is counted."""
    taken: TakenClaims = NOTHING_TAKEN
    """What of the claims of the Workspace and of its groups on listeners others already have."""
    nodes: tuple[Node, ...] = ()
    missing_kinds: frozenset[str] = field(default_factory=frozenset)
    """Kinds that the API server does not serve, because their CRD is missing."""
    query_results: QueryResults = field(default_factory=QueryResults)
    served_names: tuple[str, ...] = ()
    """Model names that the model server has reported to this process since the newest change of the spec."""
    accepted_drift: Mapping[ObjectRef, Fields] = field(default_factory=dict)
    """Objects with accepted drift: another manager keeps some of the applied fields. The value is the fields that we own."""

    @property
    def chart(self) -> ChartObjects:
        """What Flux has installed for the Workspace."""
        return ChartObjects(
            source=self.source,
            release=self.release,
            former=self.former,
            endpoint_picker=self.endpoint_picker,
            pool=self.pool,
            parts=self.parts,
            watched_kinds=self.chart_object_kinds,
            pruned=self.pruned,
            has_drifted=self.has_drifted,
        )

    def missing_chart_objects(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that are in the release's inventory but do not exist."""
        return self.chart.missing()

    def remaining_chart_objects(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that exist although the release is gone."""
        return self.chart.remaining()

    def group(self, name: str) -> GroupRecords | None:
        """Return the group of that name among those of the Workspace."""
        return next((group for group in self.groups if group.name == name), None)

    def workload(self, kind: str, name: str = "") -> Workload | None:
        """Return the Workspace's own workload of that kind, or None; of several, that of `name`."""
        found = (workload for workload in self.workloads if workload.ref.kind == kind)
        return next((workload for workload in found if name in {"", workload.ref.name}), None)

    def has_settled_source(self, before: "Snapshot") -> bool:
        """Whether the OCIRepository, for which the HelmRelease waits, was written since and needs no more time: no event of it may follow.

        It is so where only its labels or owners have changed.
        """
        return self.source is not None and self.source is not before.source and self.source.is_current

    def with_records(self, records: Iterable[object]) -> "Snapshot":
        """Return the snapshot with objects of the Workspace as they are after writes; records of other kinds change nothing."""
        snapshot = self
        for record in records:
            snapshot = snapshot._with(record)
        return snapshot

    def _with(self, record: object) -> "Snapshot":  # noqa: PLR0911, C901 - one line for each kind
        match record:
            case Workload():
                return replace(self, workloads=_among(self.workloads, record))
            case Service():
                return replace(self, services=_among(self.services, record))
            case PersistentVolumeClaim():
                return replace(self, claims=_among(self.claims, record))
            case OCIRepository():
                return replace(self, source=record)
            case HelmRelease():
                return replace(self, release=record)
            case HTTPRoute():
                return self._with_route(record)
            case KthenaModelServer():
                return replace(self, companion=record)
            case NetworkPolicy():
                return replace(self, network_policy=record)
            case DisruptionBudget():
                return replace(self, budgets=_among(self.budgets, record))
            case ScaledObject():
                return replace(self, scaled_object=record)
            case InferenceObjective():
                return replace(self, objectives=_among(self.objectives, record))
        return self

    def _with_route(self, route: HTTPRoute) -> "Snapshot":
        if route.group:
            return replace(self, groups=tuple(group.with_route(route) for group in self.groups))
        return replace(self, route=route)

    def metas(self) -> Iterator[Meta]:
        """Yield the metadata of the objects of the Workspace that its plan may apply."""
        for record in (*self.workloads, *self.services, *self.claims, self.source, self.release, self.route, *self.objectives):
            if record is not None:
                yield record.meta
        for budget in self.budgets:
            yield budget.meta
        for each in (self.companion, self.network_policy, self.scaled_object):
            if each is not None:
                yield each.meta


def _among(records: tuple[RecordT, ...], record: RecordT) -> tuple[RecordT, ...]:
    """Return `records` with `record` in place of the one of its name, in the order of kinds and names."""
    found = [other for other in records if other.meta.ref != record.meta.ref]
    found.append(record)
    return tuple(sorted(found, key=lambda entry: (entry.meta.ref.kind, entry.meta.ref.name)))
