"""What a process remembers of a Workspace between passes; all of it can be lost without harm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

from workspace_ctrl.controller.healing import Healing
from workspace_ctrl.controller.patience import Patience
from workspace_ctrl.planning.steps import Interests
from workspace_ctrl.records.answers import Answers, ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.ownership import Fields
from workspace_ctrl.records.workspaces import WorkspaceRecord

ValueT = TypeVar("ValueT")

_LONGEST_REPAIR_DELAY = 300.0
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
"""Of most Workspaces there is nothing to remember, and thousands of empty dicts are megabytes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that the API server refused: not tried again before its time, unless what we want has changed."""

    manifest_hash: str
    adopting: bool
    """Whether an object of somebody else was to be taken over."""
    problem: Problem
    retry_at: float


@dataclass(slots=True)
class Repairs:
    """How often an object was brought back to what we applied, or Flux was asked to bring its own back."""

    count: int = 0
    last: float = float("-inf")
    first_delay: float = 1.0
    calm: float = 600.0
    """Seconds of calm after the time for the next repair that make the next one a first one again."""

    def next_at(self) -> float:
        """Return when the next repair may be: at once the first time, then after 1 s, 2 s, ... 5 min, so that nobody is fought hard."""
        return self.last + min(self.first_delay * 2.0 ** (self.count - 1), _LONGEST_REPAIR_DELAY) if self.count else self.last

    def note(self, now: float) -> None:
        """Note a repair."""
        self.count = 1 if now > self.next_at() + self.calm else self.count + 1
        self.last = now


@dataclass(slots=True)
class Memory:
    """What one process remembers of one Workspace. Times are those of the event loop's clock, in seconds."""

    began_at: float = float("-inf")
    """When the Workspace was first seen."""
    interests: Interests = field(default_factory=Interests)
    """Objects of others on which the newest plan depends."""
    dry_run: DryRun | None = None
    config: ConfigContent | None = None
    scale: ScaleSelector | None = None
    dry_run_retry_at: float = 0.0
    refusals: Mapping[ObjectRef, Refusal] = field(default_factory=lambda: _NONE)
    repairs: Mapping[ObjectRef, Repairs] = field(default_factory=lambda: _NONE)
    requests: Repairs | None = None
    """How often Flux was asked to look at the release."""
    repair_due_at: float | None = None
    """When a repair that was put off is due."""
    patience: Patience = field(default_factory=Patience)
    healing: Healing = field(default_factory=Healing)
    left_since: float | None = None
    """Since when objects of the chart are there without a release."""
    swept: bool = False
    """Whether they were deleted, or the API server does not let us."""
    deleted: tuple[str, ...] = ()
    """Uids of the newest objects that were deleted: an object that the API server has agreed to delete never comes back."""
    tolerated: Mapping[ObjectRef, Fields] = field(default_factory=lambda: _NONE)
    """Objects that did not become ours altogether when we applied them, and the fields of them that did."""
    status_written_at: float = float("-inf")
    crowd_factor: float = 1.0
    """How rare progress is told at the most since then, because of others."""
    settling: frozenset[tuple[str, str, str]] = frozenset()
    """Conditions that are told when they still hold in a moment."""
    settling_since: float = 0.0
    passed_at: float = float("-inf")
    """When the newest pass ended."""
    seen: tuple[int, bool] | None = None
    """Generation of the Workspace, and whether it was being deleted, in that pass."""

    def pass_ended(self, now: float, workspace: WorkspaceRecord) -> None:
        """Note that a pass over `workspace` has ended."""
        self.passed_at, self.seen = now, _version(workspace)

    def has_seen(self, workspace: WorkspaceRecord) -> bool:
        """Whether a pass has looked at what the user wants now."""
        return self.seen == _version(workspace)

    @property
    def answers(self) -> Answers:
        """What the API server answered to the plan's questions."""
        return Answers(self.dry_run, self.config, self.scale)

    def forget_expired(self, now: float) -> None:
        """Drop what may be tried again."""
        self.repair_due_at = None
        if self.dry_run is not None and self.dry_run.refusal and now >= self.dry_run_retry_at:
            self.dry_run = None
        self.refusals = {ref: refusal for ref, refusal in self.refusals.items() if now < refusal.retry_at} or _NONE

    def next_retry(self) -> float | None:
        """Return when the next refused request may be tried again, or None."""
        times = [refusal.retry_at for refusal in self.refusals.values()]
        if self.dry_run is not None and self.dry_run.refusal:
            times.append(self.dry_run_retry_at)
        times.extend(moment for moment in (self.repair_due_at, self.patience.due_at) if moment is not None)
        return min(times, default=None)


def noted(entries: Mapping[ObjectRef, ValueT], ref: ObjectRef, value: ValueT | None) -> Mapping[ObjectRef, ValueT]:
    """Return `entries` with `value` for `ref`, or without it where that is None."""
    if value is None:
        return {other: entry for other, entry in entries.items() if other != ref} or _NONE
    return {**entries, ref: value}


def _version(workspace: WorkspaceRecord) -> tuple[int, bool]:
    return workspace.meta.generation, workspace.meta.deleting
