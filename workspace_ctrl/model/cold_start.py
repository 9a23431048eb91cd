"""The start of the first copy of an InferenceSet that had none, while requests wait for it."""

from dataclasses import dataclass
from typing import Final

_RECENT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class ColdStart:
    """How far such a start is; durations are in seconds, by the event loop's clock."""

    under_way_for: float | None = None
    """Since a copy is wanted; 0 while none is yet, None after the first one was ready."""
    took: float | None = None
    """How long the last one took; None if none is known."""
    ended_ago: float | None = None
    """Since when its copy is ready; None if this process has not seen that."""

    @property
    def is_recent(self) -> bool:
        """Whether it ended a moment ago, so that requests through the Gateway may not have been sent again yet."""
        return self.ended_ago is not None and self.ended_ago < _RECENT_SECONDS


NO_COLD_START: Final = ColdStart()
