"""The steps that a plan is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workspace_ctrl.api.inference import WorkloadRef
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.charts import ChartId
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class TryWorkload:
    """Dry-run the workload on the API server; the plan goes on with the answer."""

    manifest: Manifest
    force: bool
    """As for `Apply`."""


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """Read the content of the ConfigMap that the Workspace names; the plan goes on with it."""

    ref: ObjectRef
    version: str
    """Resource version that the watch told."""


@dataclass(frozen=True, slots=True)
class ReadScale:
    """Read the scale subresource of the object that the Workspace names; the plan goes on with its selector."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class LookAtChart:
    """Look at a chart with Helm, beside the passes; what is found makes another pass due."""

    chart: ChartId


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a manifest."""

    manifest: Manifest
    link: LinkName
    """The link that is broken when the API server refuses."""
    force: bool
    """Whether fields that others changed are taken back. Never on an object that was not seen to be ours: a foreign one of the same
    name then answers with a conflict instead of being overwritten."""
    repairs: bool = False
    """Whether it only takes back what others changed; somebody who goes on changing it is not fought at full speed."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object of ours."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a suspended HelmRelease before it is deleted: Flux leaves the objects of a suspended one behind."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Sweep:
    """Delete the objects of a Workspace's chart that Flux has left behind, unless they go within a moment."""

    workspace: ObjectRef
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskFlux:
    """Ask Flux to look at a HelmRelease now; one that goes on having to be asked is asked more and more rarely."""

    ref: ObjectRef
    uid: str
    cause: str
    """What was seen, for the log."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Put our finalizer on the Workspace, or take it off."""

    present: bool


Question = TryWorkload | ReadConfig | ReadScale
"""A step whose answer planning needs in order to go on."""
Step = LookAtChart | Apply | Delete | Resume | Sweep | AskFlux | SetFinalizer


@dataclass(frozen=True)
class UnresolvedError(Exception):
    """Planning cannot go on: something must be asked first, or is not there (yet)."""

    step: Question | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Interests:
    """Objects of others on which the plan depends: their changes make another pass due."""

    config: str = ""
    """Name of a ConfigMap in the Workspace's namespace."""
    nodes: bool = False
    """Whether nodes' labels may change the plan."""
    reference: WorkloadRef | None = None
    """The object that `inference.workloadRef` names."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Labels of pods that do not carry ours."""
    route: str = ""
    """Name of the HTTPRoute that `gateway.httpRouteRef` names."""
    pool: str = ""
    """Name of the InferencePool that `gateway.pool.ref` names."""
    companion: str = ""
    """Name of the ModelServer that a Gateway's class needs, or needed."""
    chart: str = ""
    """Name of the chart that makes the pool, from which the names of its objects follow; empty where none is asked for."""
    objectives: bool = False
    """Whether the Workspace has InferenceObjectives, or had."""
    namespace: bool = False
    """Whether the labels of the Workspace's namespace may change the plan."""

    def keeping(self, earlier: "Interests") -> "Interests":
        """Return these with what the cluster's state had added to `earlier` ones, until it is known anew."""
        pods = self.pods or (earlier.pods if self.reference is not None and self.reference == earlier.reference else {})
        return replace(self, pods=pods, companion=earlier.companion, objectives=earlier.objectives)
