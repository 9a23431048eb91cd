"""Which watched kinds cannot be listed anywhere: their CRD is not installed, or the rights are missing."""

from collections.abc import Iterable
from typing import Any, Final

from workspace_ctrl.kube.informer import Informer

_NONE: Final = frozenset[str]()


class MissingKinds:
    """The kinds that no informer can list; where only one namespace cannot be listed, a write to it says so."""

    def __init__(self) -> None:
        self._informers: list[Informer[Any]] = []

    def follow(self, informers: Iterable[Informer[Any]]) -> None:
        """Take informers into account."""
        self._informers += informers

    def __call__(self) -> frozenset[str]:
        """Return the kinds that are missing now."""
        if not any(informer.is_missing for informer in self._informers):
            return _NONE  # almost always, and each pass needs to know
        available = {informer.resource.kind for informer in self._informers if not informer.is_missing}
        return frozenset(informer.resource.kind for informer in self._informers) - available

    @property
    def unsynced(self) -> tuple[str, ...]:
        """The kinds that have not been listed yet, in order."""
        return tuple(sorted({informer.resource.kind for informer in self._informers if not informer.is_synced}))
