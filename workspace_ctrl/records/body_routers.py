"""The body-based router of a Gateway: what turns the model's name in a request's body into a header."""

from dataclasses import dataclass

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.workloads import Workload


@dataclass(frozen=True, slots=True)
class BodyRouter:
    """What is there of one; None where an object is not there."""

    source: OCIRepository | None = None
    release: HelmRelease | None = None
    workload: Workload | None = None
    """The Deployment that the chart makes."""

    @property
    def runs(self) -> bool:
        """Whether a replica is ready."""
        return self.workload is not None and self.workload.ready_replicas > 0


@dataclass(frozen=True, slots=True)
class BodyRouterState:
    """How it stands with one, for the Workspaces of its Gateway."""

    status: Status
    reason: str
    message: str
    blocks: bool = False
    """Whether the Gateway leads all its requests to a router that does not run, and so answers none."""
