"""For how long Flux's objects have stood where they stand, by our own clock; a restart begins anew."""

from dataclasses import dataclass

from workspace_ctrl.records.flux import HelmRelease, OCIRepository, Stage, StageAges

_TRYING = frozenset({Stage.WORKING, Stage.FAILING, Stage.STALLED})
"""An attempt that failed is followed by the next one: one wait, not many."""


@dataclass(frozen=True, slots=True)
class _Wait:
    generation: int
    stages: frozenset[Stage]
    since: float


@dataclass(slots=True)
class Activity:
    """When Flux's controllers last began with an object, of whichever Workspace: one that does is busy, and not silent."""

    source: float = float("-inf")
    release: float = float("-inf")


@dataclass(slots=True)
class Patience:
    """Since when one Workspace's source and release have not been done. Times are those of the event loop's clock, in seconds."""

    source: _Wait | None = None
    release: _Wait | None = None
    due_at: float | None = None
    """When more is to be said of one of them, should nothing change until then."""

    def look(self, source: OCIRepository | None, release: HelmRelease | None, now: float, activity: Activity) -> StageAges:
        """Note where both stand at `now`, and return for how long they have stood there.

        An object that Flux has not looked at yet waits no longer than since Flux last began with another one: many wait in turn.
        """
        digest = source.digest if source is not None else ""
        stages = (source.stage if source is not None else None, release.stage(digest) if release is not None else None)
        if _has_begun(self.source, stages[0]):
            activity.source = now
        if _has_begun(self.release, stages[1]):
            activity.release = now
        self.source = _wait(self.source, source, stages[0], now)
        self.release = _wait(self.release, release, stages[1], now)
        starts = (_since(self.source, activity.source), _since(self.release, activity.release))
        due = [
            since + stage.patience
            for since, stage in zip(starts, stages, strict=True)
            if since is not None and stage is not None and stage.patience is not None
        ]
        self.due_at = min((moment for moment in due if moment > now), default=None)
        return StageAges(*(now - since if since is not None else 0.0 for since in starts))


def _has_begun(known: _Wait | None, stage: Stage | None) -> bool:
    """Whether Flux has looked at an object that it had not looked at before."""
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
