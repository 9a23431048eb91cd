"""The one snapshot of each pass: the objects of the Workspace, of what it references, and of its group."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.controller.passes.group_records import GroupObserver
from workspace_ctrl.controller.take_snapshot import Background, take_snapshot
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class PassSnapshots:
    """Takes snapshots."""

    cache: Cache
    watches: DynamicWatches
    groups: GroupObserver
    missing_kinds: Callable[[], frozenset[str]]
    background: Callable[[Key], Background]
    """Returns what other tasks of the process have found out for a Workspace."""

    def take(self, workspace: WorkspaceRecord, dependencies: Dependencies) -> Snapshot:
        """Return the snapshot of a pass over `workspace`."""
        key = workspace.key
        referenced, missing_kinds, background = self.watches.of(key), self.missing_kinds(), self.background(key)
        snapshot = take_snapshot(self.cache, key, dependencies, referenced, missing_kinds, background)
        groups = self.groups.groups_of(workspace)
        return replace(snapshot, groups=groups) if groups else snapshot
