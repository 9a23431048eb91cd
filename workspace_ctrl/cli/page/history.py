"""What has happened to an object: transitions of its conditions, as its status has them and as they were seen, and Events. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from workspace_ctrl.api.conditions import Condition, find
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cli.inspect.objects_of_workspace import last_seen
from workspace_ctrl.cli.page.page_object import LONGEST_MESSAGE
from workspace_ctrl.kube.resources import Json

MOST_ENTRIES: Final = 100
"""Of one history; the oldest are left out."""
_REPEATED: Final = frozenset({"NodesReady", "WorkspaceSucceeded", "Reconciling"})
"""Conditions that repeat others, in other words."""
_LONGEST_WORD: Final = 100


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a history."""

    time: str
    """As a timestamp of Kubernetes; empty if it is not known."""
    subject: str
    """A type of conditions, or the object of an Event as Kind/name."""
    status: str
    """The new status of the condition; of an Event Normal or Warning."""
    reason: str
    message: str
    count: int = 1
    """How often the Event has happened."""
    is_event: bool = False

    def as_object(self) -> dict[str, Any]:
        """Return what the browser gets, as JSON."""
        return {
            "time": self.time,
            "subject": self.subject,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "count": self.count,
            "isEvent": self.is_event,
        }


def transitions(before: Sequence[Condition], after: Sequence[Condition], now: datetime) -> Iterator[HistoryEntry]:
    """Yield what has changed between two states of the conditions of one object.

    A new status has the time of the condition, a new reason the time at which it was seen.
    """
    for condition in after:
        old = find(before, condition.type)
        if condition.type in _REPEATED or (old is not None and (old.status, old.reason) == (condition.status, condition.reason)):
            continue
        is_new_status = old is None or old.status != condition.status
        yield _entry(condition, condition.last_transition_time if is_new_status else f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    for condition in before:
        if condition.type not in _REPEATED and find(after, condition.type) is None:
            yield HistoryEntry(f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", condition.type, "removed", "", "")


def history(conditions: Iterable[Condition], seen: Iterable[HistoryEntry], events: Iterable[Json]) -> list[HistoryEntry]:
    """Return the newest entries, the newest first: what conditions say of their last transition, what was seen, and Events."""
    of_status = [_entry(condition, condition.last_transition_time) for condition in conditions if condition.type not in _REPEATED]
    observed = [*seen]
    known = {(entry.subject, entry.time, entry.status) for entry in observed}
    missing = [entry for entry in of_status if (entry.subject, entry.time, entry.status) not in known]
    entries = sorted([*missing, *observed, *map(_event, events)], key=lambda entry: entry.time, reverse=True)
    return entries[:MOST_ENTRIES]


def _entry(condition: Condition, time: str) -> HistoryEntry:
    return HistoryEntry(time, condition.type, condition.status, condition.reason, printable(condition.message, LONGEST_MESSAGE))


def _event(event: Json) -> HistoryEntry:
    about = event.get("involvedObject") or {}
    series = event.get("series") or {}
    count = event.get("count") or series.get("count") or 1
    return HistoryEntry(
        time=_second(last_seen(event)),
        subject=printable(f"{about.get('kind', '')}/{about.get('name', '')}", _LONGEST_WORD * 3),
        status=printable(str(event.get("type") or ""), _LONGEST_WORD),
        reason=printable(str(event.get("reason") or ""), _LONGEST_WORD),
        message=printable(str(event.get("message") or ""), LONGEST_MESSAGE),
        count=count if isinstance(count, int) else 1,
        is_event=True,
    )


def _second(time: str) -> str:
    """Return a time without its fraction, so that all of them sort."""
    head, dot, _ = time.partition(".")
    return f"{head}Z" if dot else time
