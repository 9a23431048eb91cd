"""The steps of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workspace_ctrl.api.inference import WorkloadRef
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.charts import ChartId
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class TryWorkload:
    """Dry-run the workload on the API server; the plan continues with the answer."""

    manifest: Manifest
    force: bool
    """As for `Apply`."""


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """Read the content of the ConfigMap that the Workspace names; the plan continues with it."""

    ref: ObjectRef
    version: str
    """Resource version in the cache."""


@dataclass(frozen=True, slots=True)
class ReadScale:
    """Read the scale subresource of the object that the Workspace names; the plan continues with its selector."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class LookAtChart:
    """Check a chart with Helm in the background; the result enqueues the Workspace again."""

    chart: ChartId


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a manifest."""

    manifest: Manifest
    link: LinkName
    """The link that is broken if the API server rejects the object."""
    force: bool
    """Whether to overwrite fields of other managers. Only for objects that were seen to be ours: for any other object of the same name, the
    API server then answers with a conflict."""
    repairs: bool = False
    """Whether it only reverts changes of others; repeated changes are reverted more and more rarely."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object of ours."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a suspended HelmRelease before its deletion: Flux does not uninstall a suspended one."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Sweep:
    """Delete the objects of a Workspace's chart that Flux has left behind, if they still exist after a moment."""

    workspace: ObjectRef
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskFlux:
    """Request a reconciliation of a HelmRelease from Flux; repeated requests become more and more rare."""

    ref: ObjectRef
    uid: str
    cause: str
    """The cause, for the log."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add our finalizer to the Workspace, or remove it."""

    present: bool


Question = TryWorkload | ReadConfig | ReadScale
"""A query: planning continues with its answer."""
Step = LookAtChart | Apply | Delete | Resume | Sweep | AskFlux | SetFinalizer


@dataclass(frozen=True)
class UnresolvedError(Exception):
    """Planning cannot continue: a query has to be answered first, or an object does not exist."""

    step: Question | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Interests:
    """External objects on which the plan depends; a change of them enqueues the Workspace."""

    config: str = ""
    """Name of a ConfigMap in the Workspace's namespace."""
    nodes: bool = False
    """Whether node labels may change the plan."""
    reference: WorkloadRef | None = None
    """The object that `inference.workloadRef` names."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Labels of pods without our own labels."""
    route: str = ""
    """Name of the HTTPRoute that `gateway.httpRouteRef` names."""
    pool: str = ""
    """Name of the InferencePool that `gateway.pool.ref` names."""
    companion: str = ""
    """Name of the ModelServer that a GatewayClass needs, or needed."""
    chart: str = ""
    """Name of the chart of the pool, which determines the names of its objects; empty if there is none."""
    objectives: bool = False
    """Whether the Workspace has InferenceObjectives, or had."""
    namespace: bool = False
    """Whether the labels of the Workspace's namespace may change the plan."""

    def keeping(self, earlier: "Interests") -> "Interests":
        """Return these with what the cluster's state had added to `earlier` ones, until it is known anew."""
        pods = self.pods or (earlier.pods if self.reference is not None and self.reference == earlier.reference else {})
        return replace(self, pods=pods, companion=earlier.companion, objectives=earlier.objectives)
