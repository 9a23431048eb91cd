"""Measures how long the first copy of an InferenceSet takes to start, from the scaling from zero to a ready pod."""

from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import InferenceSetStatus, WorkspaceStatus
from workspace_ctrl.model.cold_start import NO_COLD_START, ColdStart
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.failure_reasons import HELD

_LOOK_SECONDS: Final = 15.0
"""A model that loads for minutes causes no events, but at some time its requests are not held any more."""
_SILENCE_SECONDS: Final = 30.0
"""A KEDA that has ended causes no events either."""


@dataclass(frozen=True, slots=True)
class ColdStartTimer:
    """Since when an InferenceSet has no copy, or its first one starts. Times are those of the event loop's clock, in seconds."""

    is_known: bool = False
    """Whether there was an observation."""
    is_zero: bool = False
    began: float | None = None
    ended: float | None = None
    took: float | None = None
    observed: float = 0.0

    def observe(self, snapshot: Snapshot, status: WorkspaceStatus, now: float) -> "ColdStartTimer":
        """Return the timer after an observation at `now`; `status` is where an earlier process has left off."""
        if snapshot.scaled_object is None:
            return NO_TIMER
        timer = replace(self if self.is_known else _seeded(status), observed=now)
        if not any(workload.replicas for workload in snapshot.workloads):
            return replace(timer, is_zero=True, began=None, ended=None)
        if any(pod.ready and not pod.meta.deleting for pod in snapshot.pods):
            timer = timer if timer.began is None else replace(timer, ended=now, took=now - timer.began)
            return replace(timer, is_zero=False, began=None)
        return replace(timer, is_zero=False, began=now) if timer.is_zero else timer

    def at(self, now: float) -> ColdStart:
        """Return how far the start is at `now`."""
        if not self.is_known:
            return NO_COLD_START
        under_way = now - self.began if self.began is not None else 0.0 if self.is_zero else None
        return ColdStart(under_way, self.took, now - self.ended if self.ended is not None else None)

    @property
    def due_at(self) -> float | None:
        """When the next observation is due without an event; None for never."""
        if not self.is_known:
            return None
        return self.observed + (_LOOK_SECONDS if self.began is not None else _SILENCE_SECONDS)


NO_TIMER: Final = ColdStartTimer()


def _seeded(status: WorkspaceStatus) -> ColdStartTimer:
    """Return the timer of an earlier process, as far as its status shows it."""
    endpoints = find(status.conditions, ConditionType.ENDPOINTS_READY)
    known = status.autoscaling if isinstance(status, InferenceSetStatus) else None
    took = known.cold_start_seconds if known is not None else None
    is_zero = endpoints is not None and endpoints.is_true and endpoints.reason in HELD
    return ColdStartTimer(is_known=True, is_zero=is_zero, took=float(took) if took is not None else None)
