"""Whether somebody has edited an object that Flux made: its content changed although Flux did nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.records.flux import HelmRelease
from workspace_ctrl.records.parts import PartId

_SETTLED_AFTER: Final = 2.0
"""Seconds: what Flux writes to several objects comes by several watches, the release's own among them, in any order."""


@dataclass(frozen=True, slots=True)
class DriftDetector:
    """What the objects of one Workspace's chart were like at the newest observation."""

    release: int = 0
    """Hash of the state of the release; 0 while Flux is at work on it."""
    content: int = 0
    since: float = 0.0
    has_drifted: bool = False
    """Whether an edit was seen for which Flux has not been asked to reconcile yet."""

    def observe(self, release: HelmRelease | None, digest: str, parts: Mapping[PartId, int], now: float) -> "DriftDetector":
        """Return the detector at `now`."""
        if release is None or release.is_busy or not release.has_installed(digest):
            return replace(self, release=0, has_drifted=False)
        state = hash((release.meta.uid, release.meta.generation, release.last_attempted_digest, release.inventory))
        content = hash(frozenset(parts.items()))
        if state == self.release and content == self.content:
            return self
        has_drifted = self.has_drifted or (state == self.release and now - self.since >= _SETTLED_AFTER)
        return DriftDetector(state, content, now, has_drifted)

    def requested(self) -> "DriftDetector":
        """Return the detector after Flux was asked to reconcile."""
        return replace(self, has_drifted=False)
