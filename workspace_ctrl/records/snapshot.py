"""All inputs of one pass over a Workspace, at one moment."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from workspace_ctrl.records.answers import Answers
from workspace_ctrl.records.body_routers import BodyRouterState
from workspace_ctrl.records.charts import ChartFinding, ChartId
from workspace_ctrl.records.claims import Claim, ClaimHolder
from workspace_ctrl.records.cluster import ConfigMap, Namespace, Node
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, StageAges
from workspace_ctrl.records.gateways import Companion, Gateway, GatewayClass, GatewayProxy, GatewayService, HTTPRoute, InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.objectives import InferenceObjective
from workspace_ctrl.records.ownership import Fields
from workspace_ctrl.records.parts import PartId, kind_of, unpack
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.probes import ProbeResult
from workspace_ctrl.records.workloads import PersistentVolumeClaim, ReferencedWorkload, Service, Workload


@dataclass(frozen=True, slots=True)
class FormerCharts:
    """Objects of the Workspace's former charts; they exist beside those of its current chart, with other names."""

    sources: tuple[OCIRepository, ...] = ()
    releases: tuple[HelmRelease, ...] = ()
    pools: tuple[InferencePool, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.sources or self.releases or self.pools)


RecordT = TypeVar("RecordT", Workload, Service, PersistentVolumeClaim, InferenceObjective)

NO_FORMER_CHARTS: Final = FormerCharts()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The observed objects of one Workspace, and the cluster's Gateways and nodes; None for an object that does not exist."""

    workloads: tuple[Workload, ...] = ()
    """Deployment and StatefulSet of the Workspace's name."""
    services: tuple[Service, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    reference: ReferencedWorkload | None = None
    """The object that `inference.workloadRef` names."""
    reference_trouble: str = ""
    """Why its kind cannot be watched; empty if it can."""
    config_map: ConfigMap | None = None
    """The ConfigMap that `inference.config` names."""
    pods: tuple[Pod, ...] = ()
    source: OCIRepository | None = None
    release: HelmRelease | None = None
    chart_findings: Mapping[ChartId, ChartFinding] | None = None
    """Results of chart checks; None if charts are not checked before their first use."""
    former: FormerCharts = NO_FORMER_CHARTS
    ages: StageAges = field(default_factory=StageAges)
    parts: Mapping[PartId, int] = field(default_factory=dict)
    """The objects of the chart, with checksums of their content."""
    part_kinds: frozenset[str] = field(default_factory=frozenset)
    """The kinds of the chart's objects that are watched."""
    swept: bool = False
    """Whether the deletion of objects that Flux left behind was done, or is impossible."""
    parts_edited: bool = False
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
    named_pool: InferencePool | None = None
    """The pool of `gateway.pool.ref`."""
    companion: Companion | None = None
    """The ModelServer that a GatewayClass needs, or needed."""
    companion_trouble: str = ""
    """Why ModelServers cannot be watched; empty if they can."""
    gateways: tuple[Gateway, ...] = ()
    gateway_classes: tuple[GatewayClass, ...] = ()
    gateway_proxies: tuple[GatewayProxy, ...] = ()
    objectives: tuple[InferenceObjective, ...] = ()
    """InferenceObjectives of the Workspace; not watched until it has some."""
    objectives_trouble: str = ""
    """Why InferenceObjectives cannot be watched; empty if they can."""
    body_routers: Mapping[str, BodyRouterState] | None = None
    """The managed body-based routers by Gateway, as namespace/name; None if they are not managed."""
    namespace: Namespace | None = None
    """The Workspace's namespace; None if namespaces cannot be watched."""
    taken: Mapping[Claim, ClaimHolder] = field(default_factory=dict)
    """Claims of the Workspace on listeners that an older Workspace already has."""
    nodes: tuple[Node, ...] = ()
    missing_kinds: frozenset[str] = field(default_factory=frozenset)
    """Kinds that the API server does not serve, because their CRD is missing."""
    answers: Answers = field(default_factory=Answers)
    tolerated: Mapping[ObjectRef, Fields] = field(default_factory=dict)
    """Objects with accepted drift: another manager keeps some of the applied fields. The value is the fields that we own."""

    def controller_of(self, gateway: Gateway) -> str | None:
        """Return the controllerName of a Gateway's class, or None if the class does not exist."""
        return next((entry.controller for entry in self.gateway_classes if entry.meta.ref.name == gateway.class_name), None)

    @property
    def has_chart(self) -> bool:
        """Whether the chart of the source is installed with the newest values."""
        return self.release is not None and self.source is not None and self.release.has_installed(self.source.digest)

    def missing_parts(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that are in the release's inventory but do not exist."""
        inventory = unpack(self.release.inventory) if self.release is not None else ()
        gone = {kind_of(part) for part in inventory if part not in self.parts}
        return tuple(sorted(gone & self.part_kinds))

    def remaining_parts(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that exist although the release is gone."""
        if self.release is not None or self.former.releases or self.swept:
            return ()
        return tuple(sorted({kind_of(part) for part in self.parts}))

    def workload(self, kind: str) -> Workload | None:
        """Return the Workspace's own workload of that kind, or None."""
        return next((workload for workload in self.workloads if workload.ref.kind == kind), None)

    def with_records(self, records: Iterable[object]) -> "Snapshot":
        """Return the snapshot with objects of the Workspace as they are after writes; records of other kinds change nothing."""
        snapshot = self
        for record in records:
            snapshot = snapshot._with(record)
        return snapshot

    def _with(self, record: object) -> "Snapshot":  # noqa: PLR0911 - one line for each kind
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
                return replace(self, route=record)
            case Companion():
                return replace(self, companion=record)
            case InferenceObjective():
                return replace(self, objectives=_among(self.objectives, record))
        return self

    def meta_of(self, ref: ObjectRef) -> Meta | None:
        """Return the metadata of one of the Workspace's objects, or None if it does not exist."""
        return next((meta for meta in self._metas() if meta.ref == ref), None)

    def _metas(self) -> Iterator[Meta]:
        for record in (*self.workloads, *self.services, *self.claims, self.source, self.release, self.route, *self.objectives):
            if record is not None:
                yield record.meta
        if self.companion is not None:
            yield self.companion.meta


def _among(records: tuple[RecordT, ...], record: RecordT) -> tuple[RecordT, ...]:
    """Return `records` with `record` in place of the one of its name, in the order of kinds and names."""
    found = [other for other in records if other.meta.ref != record.meta.ref]
    found.append(record)
    return tuple(sorted(found, key=lambda entry: (entry.meta.ref.kind, entry.meta.ref.name)))
