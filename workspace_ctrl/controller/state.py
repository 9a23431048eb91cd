"""What a process knows of one Workspace between passes; all of it can be lost without harm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from workspace_ctrl.controller.drift_detector import DriftDetector
from workspace_ctrl.controller.stage_timer import NO_WAIT, FluxActivity, StageTimer
from workspace_ctrl.controller.throttle import StatusThrottle, Throttle
from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy
from workspace_ctrl.planning.steps import Interests
from workspace_ctrl.records.answers import Answers
from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.ownership import Fields
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord

ValueT = TypeVar("ValueT")

REPAIRS: Final = BackoffPolicy(first=1.0, longest=300.0, reset_after=600.0)
"""Of an object that others go on changing: at once the first time, then more and more rarely, so that nobody is fought hard."""
RECONCILE_REQUESTS: Final = BackoffPolicy(first=0.5, longest=300.0, reset_after=10.0)
"""Of requests to Flux. What is deleted in one go can come too late for the reconciliation that the first one brings."""
_DELETIONS_KEPT: Final = 8
_NO_DEPENDENCIES: Final = Interests()
_NO_ANSWERS: Final = Answers()
_NO_DRIFT: Final = DriftDetector()
_NO_REQUESTS: Final = Backoff(RECONCILE_REQUESTS)
_NO_WRITES: Final = StatusThrottle()
_NEVER: Final = Throttle()
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
"""Of most Workspaces there is nothing to keep, and thousands of empty dicts are megabytes."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A write that the API server rejected: not tried again before its time, unless what we want has changed."""

    manifest_hash: str
    adopting: bool
    """Whether an object of somebody else was to be taken over."""
    problem: Problem
    retry_at: float


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What one process knows of one Workspace. Times are those of the event loop's clock, in seconds."""

    dependencies: Interests = _NO_DEPENDENCIES
    """Objects of others on which the newest plan depends."""
    answers: Answers = _NO_ANSWERS
    dry_run_retry_at: float = 0.0
    rejections: Mapping[ObjectRef, Rejection] = field(default_factory=lambda: _NONE)
    repairs: Mapping[ObjectRef, Backoff] = field(default_factory=lambda: _NONE)
    reconcile_requests: Backoff = _NO_REQUESTS
    put_off_until: float | None = None
    """When a repair that was put off in the newest pass is due."""
    stage_timer: StageTimer = NO_WAIT
    drift: DriftDetector = _NO_DRIFT
    left_behind_since: float | None = None
    """Since when objects of the chart have been there without a release."""
    pruned: bool = False
    """Whether they were deleted, or the API server does not let us."""
    deleted: tuple[str, ...] = ()
    """Uids of the newest objects that were deleted: an object whose deletion the API server has accepted never comes back."""
    accepted_drift: Mapping[ObjectRef, Fields] = field(default_factory=lambda: _NONE)
    """Objects that did not become ours altogether when we applied them, and the fields of them that did."""
    writes: StatusThrottle = _NO_WRITES
    reconciled: Throttle = _NEVER
    """The end of the newest pass."""
    reconciled_version: tuple[int, bool] | None = None
    """Generation of the Workspace, and whether it was being deleted, in that pass."""

    def observe(self, snapshot: Snapshot, now: float, activity: FluxActivity) -> tuple["WorkspaceState", FluxActivity]:
        """Return the state after a look at `snapshot` at `now`, and what has been seen of Flux by then on all Workspaces."""
        timer, activity = self.stage_timer.observe(snapshot.source, snapshot.release, now, activity)
        # While one chart takes another's place, objects come and go.
        release = None if snapshot.former else snapshot.release
        digest = snapshot.source.digest if snapshot.source is not None else ""
        drift = self.drift.observe(release, digest, snapshot.parts, now)
        dry_run = self.answers.dry_run
        expired = dry_run is not None and dry_run.refusal != "" and now >= self.dry_run_retry_at
        rejections = {ref: entry for ref, entry in self.rejections.items() if now < entry.retry_at} or _NONE
        state = replace(
            self,
            stage_timer=timer,
            drift=drift,
            answers=replace(self.answers, dry_run=None) if expired else self.answers,
            rejections=rejections,
            put_off_until=None,
        )
        return state, activity

    def on(self, snapshot: Snapshot) -> Snapshot:
        """Return `snapshot` with what is known besides the objects."""
        return replace(
            snapshot,
            ages=self.stage_timer.ages,
            parts_edited=self.drift.has_drifted,
            swept=self.pruned,
            answers=self.answers,
            tolerated=self.accepted_drift,
        )

    def with_rejection(self, ref: ObjectRef, rejection: Rejection | None) -> "WorkspaceState":
        """Return the state with the newest rejection of a write to `ref`; None for a write that was accepted."""
        if rejection is None and ref not in self.rejections:
            return self
        return replace(self, rejections=_with(self.rejections, ref, rejection))

    def with_accepted_drift(self, ref: ObjectRef, owned: Fields | None) -> "WorkspaceState":
        """Return the state with the fields of `ref` that became ours; None where all did that we applied."""
        if owned is None and ref not in self.accepted_drift:
            return self
        return replace(self, accepted_drift=_with(self.accepted_drift, ref, owned))

    def with_repair(self, ref: ObjectRef, now: float) -> "tuple[WorkspaceState, bool]":
        """Return the state after a repair of `ref` at `now`, and whether it is time for it; where not, it is put off."""
        backoff = self.repairs.get(ref, Backoff(REPAIRS))
        if not backoff.is_due(now):
            return self.put_off(backoff.due_at), False
        return replace(self, repairs=_with(self.repairs, ref, backoff.again(now))), True

    def with_reconcile_request(self, now: float) -> "tuple[WorkspaceState, bool]":
        """Return the state after a request to Flux at `now`, and whether it is time for it; where not, it is put off."""
        if not self.reconcile_requests.is_due(now):
            return self.put_off(self.reconcile_requests.due_at), False
        return replace(self, reconcile_requests=self.reconcile_requests.again(now)), True

    def put_off(self, moment: float) -> "WorkspaceState":
        """Return the state with something that is due at `moment`, and was not done in this pass."""
        return replace(self, put_off_until=min(moment, self.put_off_until or moment))

    def with_deleted(self, uid: str) -> "WorkspaceState":
        """Return the state after the deletion of an object."""
        return replace(self, deleted=(*self.deleted, uid)[-_DELETIONS_KEPT:])

    def after_pass(self, now: float, workspace: WorkspaceRecord) -> "WorkspaceState":
        """Return the state after a pass over `workspace` that ended at `now`."""
        return replace(self, reconciled=Throttle(now), reconciled_version=_version(workspace))

    def has_seen(self, workspace: WorkspaceRecord) -> bool:
        """Whether a pass has been made over what the user wants now."""
        return self.reconciled_version == _version(workspace)

    @property
    def due_at(self) -> float | None:
        """When another pass is due without any event; None for never."""
        times = [rejection.retry_at for rejection in self.rejections.values()]
        if self.answers.dry_run is not None and self.answers.dry_run.refusal:
            times.append(self.dry_run_retry_at)
        times.extend(_given((self.put_off_until, self.stage_timer.due_at)))
        return min(times, default=None)


def _given(moments: Iterable[float | None]) -> Iterable[float]:
    return (moment for moment in moments if moment is not None)


def _with(entries: Mapping[ObjectRef, ValueT], ref: ObjectRef, value: ValueT | None) -> Mapping[ObjectRef, ValueT]:
    """Return `entries` with `value` for `ref`, or without it where that is None."""
    if value is None:
        return {other: entry for other, entry in entries.items() if other != ref} or _NONE
    return {**entries, ref: value}


def _version(workspace: WorkspaceRecord) -> tuple[int, bool]:
    return workspace.meta.generation, workspace.meta.deleting
