"""The states of all Workspaces of a process, and how many of them are in progress."""

from workspace_ctrl.controller.flux_stage_timer import FluxActivity
from workspace_ctrl.controller.pass_throttle import Load
from workspace_ctrl.controller.workspace_state import WorkspaceState
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.workspaces import WorkspaceRecord


class States:
    """From a Workspace to its newest state."""

    def __init__(self) -> None:
        self._states: dict[Key, WorkspaceState] = {}
        self.load = Load()
        self.activity = FluxActivity()
        """Flux's activity over all Workspaces."""

    def get(self, key: Key) -> WorkspaceState | None:
        """Return the newest state of the Workspace `key`; None before its first pass."""
        return self._states.get(key)

    def has_pass(self, key: Key) -> bool:
        """Whether a pass over the Workspace `key` has begun in this process."""
        return key in self._states

    def set(self, key: Key, state: WorkspaceState) -> None:
        """Keep the newest state of the Workspace `key`."""
        self._states[key] = state

    def forget(self, key: Key) -> None:
        """Drop the state of the Workspace `key`, which is gone."""
        self._states.pop(key, None)
        self.load.set(key, in_progress=False)

    def has_seen(self, workspace: WorkspaceRecord | None) -> bool:
        """Whether there was a pass over what the user of a Workspace wants now."""
        state = self._states.get(workspace.key) if workspace is not None else None
        return state is not None and workspace is not None and state.has_seen(workspace)

    def delay(self, key: Key, now: float, interval: float) -> float:
        """Return for how many seconds the next pass over `key` may wait for further events: up to three times `interval`, by the load."""
        state = self._states.get(key)
        return state.reconciled.delay(now, interval * self.load.stretch) if state is not None else 0.0
