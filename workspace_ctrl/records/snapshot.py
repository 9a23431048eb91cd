"""All that one pass over a Workspace looks at, frozen at one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workspace_ctrl.records.answers import Answers
from workspace_ctrl.records.claims import Claim, ClaimHolder
from workspace_ctrl.records.cluster import ConfigMap, Namespace, Node
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.gateways import Companion, Gateway, GatewayClass, GatewayProxy, GatewayService, HTTPRoute, InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.ownership import Fields
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.probes import ProbeResult
from workspace_ctrl.records.workloads import PersistentVolumeClaim, ReferencedWorkload, Service, Workload


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The observed objects of one Workspace, and the cluster's Gateways and nodes; None where an object is not there."""

    workloads: tuple[Workload, ...] = ()
    """Deployment and StatefulSet of the Workspace's name."""
    services: tuple[Service, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    reference: ReferencedWorkload | None = None
    """The object that `inference.workloadRef` names."""
    reference_trouble: str = ""
    """Why its kind cannot be watched; empty while it can."""
    config_map: ConfigMap | None = None
    """The ConfigMap that `inference.config` names."""
    pods: tuple[Pod, ...] = ()
    source: OCIRepository | None = None
    release: HelmRelease | None = None
    endpoint_picker: Workload | None = None
    pool: InferencePool | None = None
    route: HTTPRoute | None = None
    gateway_services: tuple[GatewayService, ...] = ()
    probe: ProbeResult | None = None
    """What came of requests through the Gateways; None while that is not known."""
    probing: bool = False
    """Whether requests are tried at all."""
    named_route: HTTPRoute | None = None
    """Somebody else's route that `gateway.httpRouteRef` names."""
    named_pool: InferencePool | None = None
    """Somebody else's pool that `gateway.pool.ref` names."""
    companion: Companion | None = None
    """The ModelServer that the class of a Gateway needs, or needed."""
    companion_trouble: str = ""
    """Why ModelServers cannot be watched; empty while they can."""
    gateways: tuple[Gateway, ...] = ()
    gateway_classes: tuple[GatewayClass, ...] = ()
    gateway_proxies: tuple[GatewayProxy, ...] = ()
    namespace: Namespace | None = None
    """The Workspace's namespace; None where namespaces may not be watched."""
    taken: Mapping[Claim, ClaimHolder] = field(default_factory=dict)
    """Of what the Workspace claims on listeners: what an older one holds."""
    nodes: tuple[Node, ...] = ()
    missing_kinds: frozenset[str] = field(default_factory=frozenset)
    """Kinds that the API server does not serve, because their CRD is not installed."""
    answers: Answers = field(default_factory=Answers)
    tolerated: Mapping[ObjectRef, Fields] = field(default_factory=dict)
    """Objects that did not become ours altogether when we applied them, and the fields of them that did: others insist on the rest."""

    def controller_of(self, gateway: Gateway) -> str | None:
        """Return the controllerName of a Gateway's class, or None when the class is not there."""
        return next((entry.controller for entry in self.gateway_classes if entry.meta.ref.name == gateway.class_name), None)

    def workload(self, kind: str) -> Workload | None:
        """Return the Workspace's own workload of that kind, or None."""
        return next((workload for workload in self.workloads if workload.ref.kind == kind), None)

    def meta_of(self, ref: ObjectRef) -> Meta | None:
        """Return the metadata of one of the Workspace's objects, or None where it is not there."""
        return next((meta for meta in self._metas() if meta.ref == ref), None)

    def _metas(self) -> Iterator[Meta]:
        for record in (*self.workloads, *self.services, *self.claims, self.source, self.release, self.route):
            if record is not None:
                yield record.meta
        if self.companion is not None:
            yield self.companion.meta
