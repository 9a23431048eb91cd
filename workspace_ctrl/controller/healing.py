"""Whether somebody has edited an object that Flux made: its content changed although Flux did nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.records.flux import HelmRelease
from workspace_ctrl.records.parts import PartId

_SETTLED_AFTER: Final = 2.0
"""Seconds: what Flux writes to several objects comes by several watches, the release's own among them, in any order."""


@dataclass(slots=True)
class Healing:
    """What the objects of one Workspace's chart looked like when they were seen last."""

    release: int = 0
    """Of which state of the release that was."""
    content: int = 0
    since: float = 0.0
    is_edited: bool = False
    """Whether Flux is still to be asked to look at it."""

    def look(self, release: HelmRelease | None, digest: str, parts: Mapping[PartId, int], now: float) -> bool:
        """Take in what is there at `now`; return whether somebody other than Flux has changed it."""
        if release is None or release.is_busy or not release.has_installed(digest):
            self.release, self.is_edited = 0, False
            return False
        state = hash((release.meta.uid, release.meta.generation, release.last_attempted_digest, release.inventory))
        content = hash(frozenset(parts.items()))
        if state == self.release and content == self.content:
            return self.is_edited
        if state == self.release and now - self.since >= _SETTLED_AFTER:
            self.is_edited = True
        self.release, self.content, self.since = state, content, now
        return self.is_edited

    def asked(self) -> None:
        """Note that Flux was asked."""
        self.is_edited = False
