"""What happens in a controller, told to whoever wants to know; without anybody, it costs nothing."""

from collections.abc import Callable

from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.workspaces import WorkspaceRecord


class Observer:
    """Told of what happens; by itself it does nothing."""

    def started(self, depth: Callable[[], int], oldest: Callable[[], float]) -> None:
        """A controller has begun, whose queue has so many keys due, the oldest of them for so many seconds."""

    def pass_ended(self, result: str, seconds: float) -> None:
        """A pass has ended after `seconds`; `result` is success, retry or defect."""

    def watch_restarted(self, plural: str, cause: str) -> None:
        """A watch has to be started again; the cause is ended, broken, expired or missing."""

    def status_seen(self, key: Key, status: WorkspaceStatus) -> None:
        """A pass has found that the Workspace `key` has, or should have, this status."""

    def status_written(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> None:
        """The status of `workspace`, as it was before, has been replaced."""

    def workspace_gone(self, key: Key) -> None:
        """The Workspace `key` is not there any more."""
