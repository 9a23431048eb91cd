"""For how long Flux's objects have been in their stage, by our own clock; a restart begins anew."""

from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.records.flux import HelmRelease, OCIRepository, Stage, StageAges

_NO_AGES: Final = StageAges()
_TRYING = frozenset({Stage.WORKING, Stage.FAILING, Stage.STALLED})
"""An attempt that failed is followed by the next one: one wait, not many."""


@dataclass(frozen=True, slots=True)
class _Wait:
    generation: int
    stages: frozenset[Stage]
    since: float


@dataclass(frozen=True, slots=True)
class FluxActivity:
    """When Flux's controllers last began with an object, of whichever Workspace: one that does is busy, and not stuck."""

    source: float = float("-inf")
    release: float = float("-inf")


@dataclass(frozen=True, slots=True)
class StageTimer:
    """Since when one Workspace's source and release have not been done. Times are those of the event loop's clock, in seconds."""

    source: _Wait | None = None
    release: _Wait | None = None
    due_at: float | None = None
    """When there is more to report of one of them, should nothing change until then."""
    ages: StageAges = _NO_AGES
    """For how long both had been in their stage at the newest observation."""

    def observe(
        self, source: OCIRepository | None, release: HelmRelease | None, now: float, activity: FluxActivity
    ) -> tuple["StageTimer", FluxActivity]:
        """Return the timer at `now`, and what has been seen of Flux by then; `activity` was seen before, on all Workspaces.

        An object that Flux has not reconciled yet waits no longer than since Flux last began with another one: many wait in turn.
        """
        digest = source.digest if source is not None else ""
        stages = (source.stage if source is not None else None, release.stage(digest) if release is not None else None)
        if _has_begun(self.source, stages[0]):
            activity = replace(activity, source=now)
        if _has_begun(self.release, stages[1]):
            activity = replace(activity, release=now)
        waits = _wait(self.source, source, stages[0], now), _wait(self.release, release, stages[1], now)
        if waits == (None, None):
            return NO_WAIT, activity
        starts = (_since(waits[0], activity.source), _since(waits[1], activity.release))
        due = [
            since + stage.patience
            for since, stage in zip(starts, stages, strict=True)
            if since is not None and stage is not None and stage.patience is not None
        ]
        ages = StageAges(*(now - since if since is not None else 0.0 for since in starts))
        return StageTimer(*waits, min((moment for moment in due if moment > now), default=None), ages), activity


NO_WAIT: Final = StageTimer()
"""Of all Workspaces whose source and release are done, or not there."""


def _has_begun(known: _Wait | None, stage: Stage | None) -> bool:
    """Whether Flux has begun with an object that it had not reconciled before."""
    return known is not None and Stage.UNSEEN in known.stages and stage not in {None, Stage.UNSEEN}


def _since(wait: _Wait | None, last_activity: float) -> float | None:
    if wait is None:
        return None
    return max(wait.since, last_activity) if Stage.UNSEEN in wait.stages else wait.since


def _wait(known: _Wait | None, record: OCIRepository | HelmRelease | None, stage: Stage | None, now: float) -> _Wait | None:
    if record is None or stage is None or stage in {Stage.DONE, Stage.PAUSED}:
        return None
    generation = record.meta.generation
    if known is not None and known.generation == generation and stage in known.stages:
        return known
    return _Wait(generation, _TRYING if stage in _TRYING else frozenset({stage}), now)
