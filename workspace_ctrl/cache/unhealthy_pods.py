"""Pods of endpoint pickers, as far as they are worth a record: those that do not get on."""

from collections.abc import Mapping

from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.records.pods import Pod


class UnhealthyPods(Store[Pod]):
    """Keeps a pod only while it is in trouble, so that thousands that run well take no memory."""

    def put(self, key: Key, record: Pod, version: int) -> bool:
        """Take in an event; return whether it changed anything."""
        if record.trouble is not None:
            return super().put(key, record, version)
        return self.remove(key, version) is not None

    def replace(self, listed: Mapping[Key, tuple[Pod, int]], version: int) -> list[Pod]:
        """Take in a complete list; return the pods that changed, came or went since the last event."""
        return super().replace({key: entry for key, entry in listed.items() if entry[0].trouble is not None}, version)
