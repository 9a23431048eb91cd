"""Measures how long objects of Flux have been in their stage, by the event loop's clock; a restart begins at 0."""

from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.records.flux import HelmRelease, OCIRepository, Stage, StageAges

_NO_AGES: Final = StageAges()
_TRYING = frozenset({Stage.WORKING, Stage.FAILING, Stage.STALLED})
"""Stages of consecutive attempts, which count as one wait."""


@dataclass(frozen=True, slots=True)
class _Wait:
    generation: int
    stages: frozenset[Stage]
    since: float


@dataclass(frozen=True, slots=True)
class FluxActivity:
    """When Flux's controllers last started to reconcile an object of any Workspace: such a controller is busy, not down."""

    source: float = float("-inf")
    release: float = float("-inf")


@dataclass(frozen=True, slots=True)
class StageTimer:
    """Since when one Workspace's source and release have been unfinished. Times are those of the event loop's clock, in seconds."""

    source: _Wait | None = None
    release: _Wait | None = None
    due_at: float | None = None
    """When the next one of them is late if nothing changes; None for never."""
    ages: StageAges = _NO_AGES
    """Durations of their stages at the latest observation."""

    def observe(
        self, source: OCIRepository | None, release: HelmRelease | None, now: float, activity: FluxActivity
    ) -> tuple["StageTimer", FluxActivity]:
        """Return the timer and Flux's activity after an observation at `now`; `activity` is the one before, over all Workspaces.

        The wait of an object that Flux has not handled yet begins when Flux last started with another one: it handles them in turn.
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
"""Timer of all Workspaces whose source and release are finished or do not exist."""


def _has_begun(known: _Wait | None, stage: Stage | None) -> bool:
    """Whether Flux has started to reconcile an object that it had not handled before."""
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
