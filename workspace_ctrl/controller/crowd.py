"""How many Workspaces are on their way: the more, the less each of them may cost."""

from workspace_ctrl.kube.store import Key

_FEW = 10
"""So many Workspaces at once are still served as if each were alone."""


class Crowd:
    """The Workspaces that are on their way: not ready, and not held up by something that has failed, which may last for days."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()

    def join(self, key: Key) -> None:
        """Note that the Workspace `key` is on its way."""
        self._keys.add(key)

    def leave(self, key: Key) -> None:
        """Note that the Workspace `key` is ready, held up, or gone."""
        self._keys.discard(key)

    @property
    def factor(self) -> float:
        """By how much what is done for each must become rarer, so that all together cost no more than a few: 1 or more."""
        return max(len(self._keys) / _FEW, 1.0)

    @property
    def share(self) -> float:
        """How far the crowd is from being nobody, 0 to 1."""
        return min(len(self._keys) / _FEW, 1.0)
