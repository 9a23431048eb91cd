"""All that one pass over a Workspace looks at, frozen at one moment."""

from dataclasses import dataclass, field

from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, GatewayProxy, HTTPRoute, InferencePool
from workspace_ctrl.records.workloads import Pod, Service, Workload


@dataclass(frozen=True, slots=True)
class DryRun:
    """The API server's answer to a dry-run of the workload."""

    manifest_hash: str
    """Hash of the manifest that was tried."""
    kind: str = ""
    """Kind of the accepted object."""
    refusal: str = ""
    """The server's words; empty when it accepted."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The observed objects of one Workspace, and the cluster's Gateways; None where an object is not there."""

    workload: Workload | None = None
    service: Service | None = None
    pods: tuple[Pod, ...] = ()
    source: OCIRepository | None = None
    release: HelmRelease | None = None
    endpoint_picker: Workload | None = None
    pool: InferencePool | None = None
    route: HTTPRoute | None = None
    gateways: tuple[Gateway, ...] = ()
    gateway_classes: tuple[GatewayClass, ...] = ()
    gateway_proxies: tuple[GatewayProxy, ...] = ()
    missing_kinds: frozenset[str] = field(default_factory=frozenset)
    """Kinds that the API server does not serve, because their CRD is not installed."""
    dry_run: DryRun | None = None
    """The newest answer; it may speak of an older manifest."""

    def controller_of(self, gateway: Gateway) -> str | None:
        """Return the controllerName of a Gateway's class, or None when the class is not there."""
        return next((entry.controller for entry in self.gateway_classes if entry.meta.ref.name == gateway.class_name), None)
