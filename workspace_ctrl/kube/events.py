"""Events (`events.k8s.io/v1`) as client-go writes them: repeated ones become a series, and their rate is limited per object."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.resources import ApiResource

EVENT: Final = ApiResource("events.k8s.io", "v1", "events", "Event")

SERIES_SECONDS: Final = 600.0
"""Seconds within which an equal Event continues the series."""
BURST: Final = 25
"""Events of one object at once (client-go's `defaultSpamBurst`)."""
REFILL_SECONDS: Final = 300.0
"""Seconds after which one more is allowed (client-go's `defaultSpamQPS`, 1/300)."""
MOST_KEPT: Final = 4096
"""Number of objects and series that are kept (client-go's `maxLruCacheEntries`)."""

_NOTE_BYTES: Final = 1024
_WORD_CHARACTERS: Final = 128
"""Longest reason, and longest name of a reporting instance, that the API server accepts."""


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object of an Event."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an object."""

    regarding: Regarding
    is_warning: bool
    reason: str
    note: str
    moment: datetime

    @property
    def identity(self) -> Hashable:
        """Key of the series: everything but message and time, as in client-go."""
        return self.regarding, self.is_warning, self.reason


@dataclass(frozen=True, slots=True)
class Series:
    """An Event as stored by the API server."""

    name: str
    count: int
    seen_at: float
    """Time of the latest occurrence, by the event loop's clock, in seconds."""

    def again(self, now: float) -> "Series":
        """Return the series after one more occurrence at `now`."""
        return replace(self, count=self.count + 1, seen_at=now)


class RateLimits:
    """A token bucket for each object."""

    def __init__(self) -> None:
        self._tokens: BoundedCache[str, tuple[float, float]] = BoundedCache(MOST_KEPT)

    def allow(self, uid: str, now: float) -> bool:
        """Whether one more Event of the object may be written at `now`; if so, it is counted."""
        tokens, since = self._tokens.get(uid) or (float(BURST), now)
        tokens = min(tokens + (now - since) / REFILL_SECONDS, float(BURST))
        allowed = tokens >= 1
        self._tokens.keep(uid, (tokens - 1 if allowed else tokens, now))
        return allowed


def event_name(event: Event) -> str:
    """Return a name for a new Event: the object's name and the time in hexadecimal, as client-go does."""
    moment = int(event.moment.timestamp() * 1_000_000)
    return f"{event.regarding.name[:200].rstrip('-.')}.{moment:x}"


def event_manifest(event: Event, name: str, controller: str, instance: str) -> dict[str, Any]:
    """Return the manifest of an Event, reported by the `instance` of `controller`."""
    regarding = event.regarding
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": name, "namespace": regarding.namespace},
        "eventTime": _micro_time(event.moment),
        "reportingController": controller,
        "reportingInstance": instance[:_WORD_CHARACTERS],
        "action": "Reconcile",
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason[:_WORD_CHARACTERS],
        "note": shortened(event.note),
        "regarding": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
    }


def series_patch(series: Series, moment: datetime) -> dict[str, Any]:
    """Return the patch that makes an Event a series with its latest occurrence at `moment`."""
    return {"series": {"count": series.count, "lastObservedTime": _micro_time(moment)}}


def shortened(note: str) -> str:
    """Return `note`, truncated to the 1024 bytes that the API server accepts."""
    encoded = note.encode()
    return note if len(encoded) <= _NOTE_BYTES else encoded[: _NOTE_BYTES - 3].decode(errors="ignore") + "..."


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
