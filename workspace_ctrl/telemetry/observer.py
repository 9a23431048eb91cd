"""What the controller tells of its own work to whoever counts it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.workspaces import WorkspaceRecord


class Result(StrEnum):
    """How a pass ended, in the words of controller-runtime."""

    SUCCESS = "success"
    REQUEUE_AFTER = "requeue_after"
    """Well, and another pass is due without any event."""
    ERROR = "error"
    """With an error of the API server; it is tried again."""
    PANIC = "panic"
    """With an error that is a defect; it is tried again."""


class Drop(StrEnum):
    """Why an event was not written."""

    QUEUE_FULL = "queue_full"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    """By the API server, or there was none."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status that was written."""

    workspace: WorkspaceRecord
    """The Workspace with the status that it had before."""
    status: WorkspaceStatus
    age: float
    """Seconds since the Workspace was created, by the API server's clock, which tells whole seconds."""


def status_change(workspace: WorkspaceRecord, status: WorkspaceStatus, answer: Json, moment: datetime) -> StatusChange:
    """Return the change that the API server answered with the Workspace `answer` at `moment`."""
    created = datetime.strptime(answer["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return StatusChange(workspace, status, max((moment - created).total_seconds(), 0.0))


class Observer(Protocol):
    """Is told of the work of a controller, on the event loop; must neither wait nor fail."""

    def started(self, queue: WorkQueue[Key], cache: Cache) -> None:
        """A controller works with `queue` and `cache`, which can be looked at until `stopped`."""

    def stopped(self) -> None:
        """The controller has stopped."""

    def pass_ended(self, result: Result, seconds: float) -> None:
        """A pass ended with `result`, `seconds` after its beginning."""

    def status_written(self, change: StatusChange) -> None:
        """A status was written."""

    def watch_restarted(self, plural: str, cause: str) -> None:
        """A watch of a kind, named by its plural, has to be started again: ended, broken, expired or missing."""

    def event_dropped(self, cause: Drop) -> None:
        """An event was not written."""


class NullObserver:
    """Counts nothing."""

    def started(self, queue: WorkQueue[Key], cache: Cache) -> None:
        """Look at nothing."""

    def stopped(self) -> None:
        """Do nothing."""

    def pass_ended(self, result: Result, seconds: float) -> None:
        """Count nothing."""

    def status_written(self, change: StatusChange) -> None:
        """Count nothing."""

    def watch_restarted(self, plural: str, cause: str) -> None:
        """Count nothing."""

    def event_dropped(self, cause: Drop) -> None:
        """Count nothing."""
