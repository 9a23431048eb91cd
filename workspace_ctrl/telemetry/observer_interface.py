"""Interface between the controller and whatever counts its work, such as the metrics."""

from collections.abc import Mapping
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
    """Result of a pass, named as in controller-runtime."""

    SUCCESS = "success"
    REQUEUE_AFTER = "requeue_after"
    """Success, and another pass is scheduled."""
    ERROR = "error"
    """A temporary error of the API server; the pass is retried."""
    PANIC = "panic"
    """An unexpected error, which is a bug; the pass is retried."""


class Drop(StrEnum):
    """Why an Event was dropped."""

    QUEUE_FULL = "queue_full"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    """The API server rejected it, or did not respond."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status that was written."""

    workspace: WorkspaceRecord
    """The Workspace with its status before the write."""
    status: WorkspaceStatus
    age: float
    """Age of the Workspace in seconds, by the API server's creation time, which has whole seconds."""


def status_change(workspace: WorkspaceRecord, status: WorkspaceStatus, answer: Json, moment: datetime) -> StatusChange:
    """Return the change to `status`; `answer` is the API server's response to the write, received at `moment`."""
    created = datetime.strptime(answer["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return StatusChange(workspace, status, max((moment - created).total_seconds(), 0.0))


class Observer(Protocol):
    """Observes the work of a controller. Its methods are called on the event loop and must neither block nor raise."""

    def started(self, queue: WorkQueue[Key], cache: Cache) -> None:
        """A controller runs with `queue` and `cache`, which can be read until `stopped`."""

    def stopped(self) -> None:
        """The controller has stopped."""

    def pass_ended(self, result: Result, seconds: float) -> None:
        """A pass of `seconds` ended with `result`."""

    def status_written(self, change: StatusChange) -> None:
        """A status was written."""

    def watch_restarted(self, plural: str, cause: str) -> None:
        """A watch of the kind with that plural has to be restarted; `cause` is ended, broken, expired or missing."""

    def event_dropped(self, cause: Drop) -> None:
        """An Event was dropped."""

    def index_changed(self, states: Mapping[str, int]) -> None:
        """The Gateways with models have other states regarding the list of models; `states` has the number in each of them."""


class NullObserver:
    """An observer that does nothing."""

    def started(self, queue: WorkQueue[Key], cache: Cache) -> None:
        """Do nothing."""

    def stopped(self) -> None:
        """Do nothing."""

    def pass_ended(self, result: Result, seconds: float) -> None:
        """Do nothing."""

    def status_written(self, change: StatusChange) -> None:
        """Do nothing."""

    def watch_restarted(self, plural: str, cause: str) -> None:
        """Do nothing."""

    def event_dropped(self, cause: Drop) -> None:
        """Do nothing."""

    def index_changed(self, states: Mapping[str, int]) -> None:
        """Do nothing."""
