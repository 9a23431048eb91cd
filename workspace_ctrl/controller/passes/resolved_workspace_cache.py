"""The costly part of the newest passes, kept for the next ones: passes over one Workspace come close together while it is being made."""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.store import Key
from workspace_ctrl.planning.resolved_workspace import ResolvedWorkspace
from workspace_ctrl.planning.workload.planned_server import PlannedServer
from workspace_ctrl.records.workspaces import WorkspaceRecord

_MOST_KEPT: Final = 256
"""Resolved Workspaces with their manifests, some 40 KiB each."""
_MOST_READY_KEPT: Final = 16
"""The same for Workspaces that have become ready: a few events follow at once, and the next one may be days away."""
_LARGEST_KEPT: Final = 32 << 10
"""Largest spec of a Workspace that is kept resolved, in bytes of JSON; resolved, a spec of 256 KiB and its manifests can take megabytes."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolved Workspace with the model server that was planned for it."""

    workspace: WorkspaceRecord
    resolved: ResolvedWorkspace
    planned: PlannedServer | None = None


class ResolvedWorkspaces:
    """The Workspaces of the newest passes, resolved; those that have become ready make room first."""

    def __init__(self) -> None:
        self._in_progress: BoundedCache[Key, Resolved] = BoundedCache(_MOST_KEPT)
        self._ready: BoundedCache[Key, Resolved] = BoundedCache(_MOST_READY_KEPT)

    def find(self, workspace: WorkspaceRecord) -> Resolved | None:
        """Return what was kept of `workspace`; None if nothing was, or if it is resolved differently now."""
        found = self._in_progress.get(workspace.key) or self._ready.get(workspace.key)
        return found if found is not None and _wants_the_same(found.workspace, workspace) else None

    def keep(self, entry: Resolved) -> None:
        """Keep a Workspace for the next pass, unless its spec is large; `has_become_ready` follows if it is ready."""
        key = entry.workspace.key
        if entry.workspace.spec_size <= _LARGEST_KEPT:
            self._in_progress.keep(key, entry)
            self._ready.drop(key)
        else:
            self.drop(key)  # of an earlier, smaller spec

    def has_become_ready(self, key: Key) -> None:
        """Keep the Workspace `key` only for a moment."""
        entry = self._in_progress.get(key)
        if entry is not None:
            self._in_progress.drop(key)
            self._ready.keep(key, entry)

    def drop(self, key: Key) -> None:
        """Forget the Workspace `key`."""
        self._in_progress.drop(key)
        self._ready.drop(key)


def _wants_the_same(before: WorkspaceRecord, after: WorkspaceRecord) -> bool:
    """Whether two records of a Workspace are resolved alike."""
    return _wants(before) == _wants(after)


def _wants(record: WorkspaceRecord) -> tuple[object, ...]:
    meta = record.meta
    return meta.uid, meta.api_version, meta.unreadable, meta.deleting, record.spec, record.annotations, record.labels
