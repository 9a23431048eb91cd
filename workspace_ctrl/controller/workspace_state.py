"""What the process remembers of one Workspace between passes; it can be lost at any time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from workspace_ctrl.controller.chart_drift_detector import ChartDriftDetector
from workspace_ctrl.controller.flux_stage_timer import NO_WAIT, FluxActivity, StageTimer
from workspace_ctrl.controller.pass_throttle import Throttle
from workspace_ctrl.controller.passes.cold_start_timer import NO_TIMER, ColdStartTimer
from workspace_ctrl.controller.repair_backoff import RECONCILE_REQUESTS, REPAIRS
from workspace_ctrl.controller.status_write_interval import StatusThrottle
from workspace_ctrl.controller.status_writes.restored_status import RestoredStatus
from workspace_ctrl.kube.backoff import Backoff
from workspace_ctrl.model.api_query_results import QueryResults
from workspace_ctrl.model.attachment_status import SILENT_SECONDS
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.gateway import WAITING_FOR_GATEWAY
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import Pod, without_volumes
from workspace_ctrl.records.workspaces import WorkspaceRecord

ValueT = TypeVar("ValueT")

_DELETIONS_KEPT: Final = 8
_MOUNT_SECONDS: Final = 60.0
"""How long a pod on a node may wait for its volumes and its network."""
_NO_DEPENDENCIES: Final = Dependencies()
_NO_ANSWERS: Final = QueryResults()
_NO_DRIFT: Final = ChartDriftDetector()
_NO_REQUESTS: Final = Backoff(RECONCILE_REQUESTS)
_NO_WRITES: Final = StatusThrottle()
_NEVER_RESTORED: Final = RestoredStatus()
_NEVER: Final = Throttle()
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
"""Shared empty mapping: most Workspaces have no entries, and thousands of empty dicts take megabytes."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A write that the API server rejected: not retried before `retry_at`, unless the manifest changes."""

    manifest_hash: str
    adopting: bool
    """Whether the adoption of an existing object was allowed."""
    problem: Problem
    retry_at: float


@dataclass(frozen=True, slots=True)
class RejectedStatus:
    """A status that the API server rejected, so that it was written in part: not sent as a whole before `retry_at`."""

    parts: frozenset[str]
    words: str
    """Of the API server."""
    retry_at: float


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What the process remembers of one Workspace. Times are those of the event loop's clock, in seconds."""

    dependencies: Dependencies = _NO_DEPENDENCIES
    """External objects on which the latest plan depends."""
    query_results: QueryResults = _NO_ANSWERS
    dry_run_retry_at: float = 0.0
    rejections: Mapping[ObjectRef, Rejection] = field(default_factory=lambda: _NONE)
    repairs: Mapping[ObjectRef, Backoff] = field(default_factory=lambda: _NONE)
    reconcile_requests: Backoff = _NO_REQUESTS
    put_off_until: float | None = None
    """When the action that the latest pass has postponed is due."""
    stage_timer: StageTimer = NO_WAIT
    drift: ChartDriftDetector = _NO_DRIFT
    left_behind_since: float | None = None
    """Since when objects of the chart exist without a release."""
    pruned: bool = False
    """Whether their deletion is impossible because the API server rejects it."""
    deleted: tuple[str, ...] = ()
    """Uids of the objects deleted last, so that each is deleted once."""
    accepted_drift: Mapping[ObjectRef, Fields] = field(default_factory=lambda: _NONE)
    """Objects of which not all applied fields became ours, with the fields that did."""
    served_names: tuple[str, ...] = ()
    """Model names that the model server has reported since the newest change of the spec. Probes stop while the route that these names
    change is not accepted yet, and the status may be written later."""
    awaited: str = ""
    """What a Gateway's controller has to report of pool or route, as a reason; empty for nothing."""
    unheard_since: float | None = None
    """Since when it has not."""
    unheard_for: float = 0.0
    """How long that has been at the latest observation, in seconds."""
    unmounted_since: Mapping[str, float] = field(default_factory=lambda: _NONE)
    """Uids of the pods that wait for their volumes, each with when that was first observed."""
    unmounted: frozenset[str] = frozenset()
    """Those of them that had been waiting for over a minute at the latest observation."""
    cold_start: ColdStartTimer = NO_TIMER
    rejected_status: RejectedStatus | None = None
    writes: StatusThrottle = _NO_WRITES
    restored: RestoredStatus = _NEVER_RESTORED
    reconciled: Throttle = _NEVER
    """End of the latest pass."""
    reconciled_version: tuple[int, bool] | None = None
    """Generation of the Workspace, and whether it was being deleted, in that pass."""

    def observe(
        self, workspace: WorkspaceRecord, snapshot: Snapshot, now: float, activity: FluxActivity
    ) -> tuple["WorkspaceState", FluxActivity]:
        """Return the state, and Flux's activity over all Workspaces, after `snapshot` was observed at `now`."""
        timer, activity = self.stage_timer.observe(snapshot.source, snapshot.release, now, activity)
        # During a migration to another chart, its objects are created and deleted.
        release = None if snapshot.former else snapshot.release
        digest = snapshot.source.digest if snapshot.source is not None else ""
        drift = self.drift.observe(release, digest, snapshot.parts, now)
        dry_run = self.query_results.dry_run
        expired = dry_run is not None and dry_run.refusal != "" and now >= self.dry_run_retry_at
        rejections = {ref: entry for ref, entry in self.rejections.items() if now < entry.retry_at} or _NONE
        served_names = (snapshot.probe.models if snapshot.probe is not None else ()) or (
            self.served_names if self.has_seen(workspace) else ()
        )
        waiting = (pod.meta.uid for pod in snapshot.pods if pod.is_waiting_for_volumes)
        unmounted_since = {uid: self.unmounted_since.get(uid, now) for uid in waiting} or _NONE
        state = replace(
            self,
            stage_timer=timer,
            drift=drift,
            query_results=replace(self.query_results, dry_run=None) if expired else self.query_results,
            rejections=rejections,
            served_names=served_names,
            unheard_for=now - self.unheard_since if self.unheard_since is not None else 0.0,
            cold_start=self.cold_start.observe(snapshot, workspace.status, now),
            unmounted_since=unmounted_since,
            unmounted=frozenset(uid for uid, since in unmounted_since.items() if now - since >= _MOUNT_SECONDS),
            put_off_until=None,
        )
        return (self if state == self else state), activity

    def timed(self, snapshot: Snapshot, now: float, activity: FluxActivity) -> "tuple[WorkspaceState, FluxActivity]":
        """Return the state, and Flux's activity, after a pass has written the source or the release in `snapshot`.

        The responses to our writes come back without an event, so nothing else would make a pass due when Flux does not react.
        """
        timer, activity = self.stage_timer.observe(snapshot.source, snapshot.release, now, activity)
        return (self if timer == self.stage_timer else replace(self, stage_timer=timer)), activity

    def on(self, snapshot: Snapshot) -> Snapshot:
        """Return `snapshot` with the values of this state: durations, answers to queries, drift."""
        return replace(
            snapshot,
            pods=self._with_unmounted(snapshot.pods) if self.unmounted else snapshot.pods,
            ages=self._ages(),
            cold_start=self.cold_start.at(self.cold_start.observed),
            has_drifted=self.drift.has_drifted,
            pruned=self.pruned,
            served_names=self.served_names,
            query_results=self.query_results,
            accepted_drift=self.accepted_drift,
        )

    def _ages(self) -> StageAges:
        """Return the ages of stages, with that of what is awaited: something else that is awaited next has not been for as long."""
        ages = self.stage_timer.ages
        if not self.unheard_for:
            return ages
        if self.awaited == WAITING_FOR_GATEWAY:
            return replace(ages, attachment=self.unheard_for)
        return replace(ages, pool_status=self.unheard_for)

    def _with_unmounted(self, pods: Iterable[Pod]) -> tuple[Pod, ...]:
        late = self.unmounted
        return tuple(without_volumes(pod) if pod.is_waiting_for_volumes and pod.meta.uid in late else pod for pod in pods)

    def with_rejection(self, ref: ObjectRef, rejection: Rejection | None) -> "WorkspaceState":
        """Return the state with the latest rejection of a write to `ref`; None if the write was accepted."""
        if rejection is None and ref not in self.rejections:
            return self
        return replace(self, rejections=_with(self.rejections, ref, rejection))

    def with_accepted_drift(self, ref: ObjectRef, owned: Fields | None) -> "WorkspaceState":
        """Return the state with the fields of `ref` that became ours; None if all applied fields did."""
        if owned is None and ref not in self.accepted_drift:
            return self
        return replace(self, accepted_drift=_with(self.accepted_drift, ref, owned))

    def with_repair(self, ref: ObjectRef, now: float) -> "tuple[WorkspaceState, bool]":
        """Return the state, and whether a repair of `ref` is due at `now`; if not, it is postponed."""
        backoff = self.repairs.get(ref, Backoff(REPAIRS))
        if not backoff.is_due(now):
            return self.put_off(backoff.due_at), False
        return replace(self, repairs=_with(self.repairs, ref, backoff.again(now))), True

    def with_reconcile_request(self, now: float) -> "tuple[WorkspaceState, bool]":
        """Return the state, and whether a reconciliation request to Flux is due at `now`; if not, it is postponed."""
        if not self.reconcile_requests.is_due(now):
            return self.put_off(self.reconcile_requests.due_at), False
        return replace(self, reconcile_requests=self.reconcile_requests.again(now)), True

    def put_off(self, moment: float) -> "WorkspaceState":
        """Return the state with an action that is postponed until `moment`."""
        return replace(self, put_off_until=min(moment, self.put_off_until or moment))

    def with_deleted(self, uid: str) -> "WorkspaceState":
        """Return the state after the object with that uid was deleted."""
        return replace(self, deleted=(*self.deleted, uid)[-_DELETIONS_KEPT:])

    def with_silence(self, now: float, awaited: str) -> "WorkspaceState":
        """Return the state after an evaluation at `now` that found what a Gateway's controller has to report; empty for nothing."""
        if awaited == self.awaited:
            return self
        return replace(self, awaited=awaited, unheard_since=now if awaited else None, unheard_for=0.0)

    def with_expired_status(self, now: float) -> "WorkspaceState":
        """Return the state in which a rejected status is sent as a whole again, if that is due at `now`."""
        is_due = self.rejected_status is not None and now >= self.rejected_status.retry_at
        return replace(self, rejected_status=None) if is_due else self

    def after_pass(self, now: float, workspace: WorkspaceRecord) -> "WorkspaceState":
        """Return the state after a pass over `workspace` that ended at `now`."""
        return replace(self, reconciled=Throttle(now), reconciled_version=_version(workspace))

    def has_seen(self, workspace: WorkspaceRecord) -> bool:
        """Whether there was a pass over the current spec, and over the deletion if there is one."""
        return self.reconciled_version == _version(workspace)

    @property
    def due_at(self) -> float | None:
        """When the next pass is due without an event; None for never."""
        times = [rejection.retry_at for rejection in self.rejections.values()]
        if self.query_results.dry_run is not None and self.query_results.dry_run.refusal:
            times.append(self.dry_run_retry_at)
        if self.unheard_since is not None and self.unheard_for < SILENT_SECONDS:
            times.append(self.unheard_since + SILENT_SECONDS)
        times.extend(since + _MOUNT_SECONDS for uid, since in self.unmounted_since.items() if uid not in self.unmounted)
        if self.rejected_status is not None:
            times.append(self.rejected_status.retry_at)
        times.extend(_given((self.put_off_until, self.stage_timer.due_at, self.cold_start.due_at)))
        return min(times, default=None)


def _given(moments: Iterable[float | None]) -> Iterable[float]:
    return (moment for moment in moments if moment is not None)


def _with(entries: Mapping[ObjectRef, ValueT], ref: ObjectRef, value: ValueT | None) -> Mapping[ObjectRef, ValueT]:
    """Return `entries` with `value` for `ref`, or without an entry for it if `value` is None."""
    if value is None:
        return {other: entry for other, entry in entries.items() if other != ref} or _NONE
    return {**entries, ref: value}


def _version(workspace: WorkspaceRecord) -> tuple[int, bool]:
    return workspace.meta.generation, workspace.meta.deleting
