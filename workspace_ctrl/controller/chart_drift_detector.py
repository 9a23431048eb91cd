"""Detects edits of objects that Flux installed: their content changed although Flux has not reconciled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.records.chart_inventory import ChartObjectId
from workspace_ctrl.records.flux import HelmRelease

_SETTLED_AFTER: Final = 2.0
"""Seconds until all of Flux's writes have arrived: they come from several watches, in any order."""


@dataclass(frozen=True, slots=True)
class ChartDriftDetector:
    """The state of one Workspace's release and of its chart's objects at the latest observation. Times are in seconds."""

    release: int = 0
    """Hash of the state of the release; 0 while Flux reconciles it."""
    content: int = 0
    since: float = 0.0
    has_drifted: bool = False
    """Whether an edit was observed for which no reconciliation has been requested yet."""

    def observe(
        self, release: HelmRelease | None, digest: str, parts: Mapping[ChartObjectId, int], now: float
    ) -> "ChartDriftDetector":
        """Return the detector after an observation at `now`; `parts` are the chart's objects with checksums of their content."""
        if release is None or release.is_busy or not release.has_installed(digest):
            return replace(self, release=0, has_drifted=False)
        state = hash((release.meta.uid, release.meta.generation, release.last_attempted_digest, release.inventory))
        content = hash(frozenset(parts.items()))
        if state == self.release and content == self.content:
            return self
        has_drifted = self.has_drifted or (state == self.release and now - self.since >= _SETTLED_AFTER)
        return ChartDriftDetector(state, content, now, has_drifted)

    def requested(self) -> "ChartDriftDetector":
        """Return the detector after a reconciliation was requested from Flux."""
        return replace(self, has_drifted=False)
