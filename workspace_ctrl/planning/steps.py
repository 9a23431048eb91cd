"""The steps of a plan."""

from dataclasses import dataclass

from workspace_ctrl.model.canary import CanaryTarget
from workspace_ctrl.model.chart_verdicts import ChartId
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class DryRunWorkload:
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
class VerifyChart:
    """Check a chart with Helm in the background; the result enqueues the Workspace again."""

    chart: ChartId


@dataclass(frozen=True, slots=True)
class LookUpModel:
    """Ask the model hub for a model's figures in the background; the result enqueues the Workspace again."""

    model: str
    """Hugging Face id."""
    is_known: bool
    """Whether the plan has figures already, so that newer ones are only for later Workspaces."""


@dataclass(frozen=True, slots=True)
class CountRequests:
    """Count the requests to a canary and to the other members in the background; new figures enqueue the Workspace again."""

    target: CanaryTarget | None
    """None to stop that."""


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
class Scale:
    """Scale a Deployment that is created again to the replicas that a user or an autoscaler had set."""

    ref: ObjectRef
    replicas: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a suspended HelmRelease before its deletion: Flux does not uninstall a suspended one."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete the objects of a Workspace's chart that Flux has left behind, if they still exist after a moment."""

    workspace: ObjectRef
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestReconcile:
    """Request a reconciliation of a HelmRelease from Flux; repeated requests become more and more rare."""

    ref: ObjectRef
    uid: str
    cause: str
    """The cause, for the log."""
    takes_over: ObjectRef | None = None
    """An object of the user that Helm is to take over as one of the release's, so that the release can be installed."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add our finalizer to the Workspace, or remove it."""

    present: bool


Query = DryRunWorkload | ReadConfig | ReadScale
"""A query: planning continues with its answer."""
Step = VerifyChart | LookUpModel | CountRequests | Apply | Delete | Resume | Prune | RequestReconcile | Scale | SetFinalizer


@dataclass(frozen=True)
class UnresolvedError(Exception):
    """Planning cannot continue: a query has to be answered first, or an object does not exist."""

    step: Query | None = None
    problem: Problem | None = None
    look_up: LookUpModel | None = None
    """What other tasks of the process have to find out first."""
