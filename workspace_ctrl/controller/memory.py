"""What a process remembers of a Workspace between passes; all of it can be lost without harm."""

from dataclasses import dataclass, field

from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.snapshot import DryRun


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that the API server refused: not tried again before its time, unless what we want has changed."""

    manifest_hash: str
    problem: Problem
    retry_at: float


@dataclass(slots=True)
class Memory:
    """What one process remembers of one Workspace. Times are those of the event loop's clock, in seconds."""

    dry_run: DryRun | None = None
    dry_run_retry_at: float = 0.0
    refusals: dict[ObjectRef, Refusal] = field(default_factory=dict)
    status_written_at: float = float("-inf")
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """Conditions that are told when they still hold in a moment."""
    settling_since: float = 0.0

    def forget_expired(self, now: float) -> None:
        """Drop what may be tried again."""
        if self.dry_run is not None and self.dry_run.refusal and now >= self.dry_run_retry_at:
            self.dry_run = None
        self.refusals = {ref: refusal for ref, refusal in self.refusals.items() if now < refusal.retry_at}

    def next_retry(self) -> float | None:
        """Return when the next refused request may be tried again, or None."""
        times = [refusal.retry_at for refusal in self.refusals.values()]
        if self.dry_run is not None and self.dry_run.refusal:
            times.append(self.dry_run_retry_at)
        return min(times, default=None)
