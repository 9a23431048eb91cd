"""The body-based router of a Gateway, which copies the model name in a request's body to a header."""

from dataclasses import dataclass

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.workloads import Workload


@dataclass(frozen=True, slots=True)
class BodyRouter:
    """The objects of one router; None for an object that does not exist."""

    source: OCIRepository | None = None
    release: HelmRelease | None = None
    workload: Workload | None = None
    """The Deployment of the chart."""

    @property
    def runs(self) -> bool:
        """Whether a replica is ready."""
        return self.workload is not None and self.workload.ready_replicas > 0


@dataclass(frozen=True, slots=True)
class BodyRouterState:
    """The state of one router, for the Workspaces of its Gateway."""

    status: Status
    reason: str
    message: str
    blocks: bool = False
    """Whether the Gateway fails all requests because the attached router does not run."""
