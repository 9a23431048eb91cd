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
class Patience:
    """Since when one Workspace's source and release have not been done. Times are those of the event loop's clock, in seconds."""

    source: _Wait | None = None
    release: _Wait | None = None
    due_at: float | None = None
    """When more is to be said of one of them, should nothing change until then."""

    def look(self, source: OCIRepository | None, release: HelmRelease | None, now: float) -> StageAges:
        """Note where both stand at `now`, and return for how long they have stood there."""
        digest = source.digest if source is not None else ""
        stages = (source.stage if source is not None else None, release.stage(digest) if release is not None else None)
        self.source = _wait(self.source, source, stages[0], now)
        self.release = _wait(self.release, release, stages[1], now)
        waits = (self.source, self.release)
        due = [
            wait.since + stage.patience
            for wait, stage in zip(waits, stages, strict=True)
            if wait is not None and stage is not None and stage.patience is not None
        ]
        self.due_at = min((moment for moment in due if moment > now), default=None)
        return StageAges(*(now - wait.since if wait is not None else 0.0 for wait in waits))


def _wait(known: _Wait | None, record: OCIRepository | HelmRelease | None, stage: Stage | None, now: float) -> _Wait | None:
    if record is None or stage is None or stage in {Stage.DONE, Stage.PAUSED}:
        return None
    generation = record.meta.generation
    if known is not None and known.generation == generation and stage in known.stages:
        return known
    return _Wait(generation, _TRYING if stage in _TRYING else frozenset({stage}), now)
