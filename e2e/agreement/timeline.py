"""Two time lines, requests and condition, merged into the stretches where they agree and where they do not. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import TypeVar


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """One request."""

    at: float
    """When it was sent, in seconds of the machine's monotonic clock."""
    ok: bool
    """Whether the model answered it."""
    status: int = 0
    """HTTP status; 0 where there was no answer."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What the condition said from a moment on."""

    at: float
    ready: bool
    reason: str = ""


_Entry = TypeVar("_Entry", bound=Sample | Change)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which neither changed."""

    start: float
    end: float
    ready: bool
    ok: bool

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How long requests failed in all, and how long the condition said otherwise."""

    failing: float
    true_while_failing: float
    false_while_working: float


def stretches(samples: Iterable[Sample], changes: Iterable[Change], start: float, end: float) -> list[Stretch]:
    """Return what held from `start` to `end`, without gaps; a sample and a change hold until the next one.

    Before the first of each, that first one holds.

    Raises:
        ValueError: there is no sample, or the condition was never seen.
    """
    answered = sorted(samples)
    said = sorted(changes)
    if not answered or not said:
        raise ValueError("nothing to compare: no request was answered or refused, or the condition was never seen")
    moments = {*(sample.at for sample in answered), *(change.at for change in said)}
    within = sorted(moment for moment in moments if start < moment < end)
    found: list[Stretch] = []
    for begin, finish in pairwise((start, *within, end)):
        ok, ready = _held(answered, begin).ok, _held(said, begin).ready
        if found and (found[-1].ready, found[-1].ok) == (ready, ok):
            found[-1] = Stretch(found[-1].start, finish, ready, ok)
        else:
            found.append(Stretch(begin, finish, ready, ok))
    return found


def disagreement(found: Sequence[Stretch]) -> Disagreement:
    """Return the seconds of each kind of stretch."""
    return Disagreement(
        failing=sum(entry.seconds for entry in found if not entry.ok),
        true_while_failing=sum(entry.seconds for entry in found if entry.ready and not entry.ok),
        false_while_working=sum(entry.seconds for entry in found if not entry.ready and entry.ok),
    )


def agreed_since(found: Sequence[Stretch]) -> float | None:
    """Return since when both have said the same, or None if they do not at the end."""
    since: float | None = None
    for entry in reversed(found):
        if entry.ready != entry.ok:
            break
        since = entry.start
    return since


def unchanged_since(found: Sequence[Stretch]) -> float | None:
    """Return since when neither has changed, or None if nothing was seen."""
    return found[-1].start if found else None


def well_since(found: Sequence[Stretch]) -> float | None:
    """Return since when requests were answered and the condition was True, or None if that is not so at the end."""
    return found[-1].start if found and found[-1].ready and found[-1].ok else None


def _held(entries: Sequence[_Entry], at: float) -> _Entry:
    """Return the last entry at or before a moment, or the first of all."""
    following = bisect_right(entries, at, key=attrgetter("at"))
    return entries[max(0, following - 1)]
