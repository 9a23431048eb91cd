"""Store of the endpoint pickers' pods that have a problem."""

from collections.abc import Mapping

from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.records.pods import Pod


class UnhealthyPods(Store[Pod]):
    """Stores a pod only while it has a problem, so that thousands of healthy pods need no memory."""

    def put(self, key: Key, record: Pod, version: int) -> bool:
        """Store or remove the pod of an event; return whether anything changed."""
        if record.problem is not None:
            return super().put(key, record, version)
        return self.remove(key, version) is not None

    def replace(self, listed: Mapping[Key, tuple[Pod, int]], version: int) -> list[Pod]:
        """Replace all records by a complete list; return the pods that were added, changed or removed."""
        return super().replace({key: entry for key, entry in listed.items() if entry[0].problem is not None}, version)
