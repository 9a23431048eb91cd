"""Index from external objects to the Workspaces that depend on them."""

from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.records.meta import ObjectRef

_ANY_NODE = ObjectRef("Node", "", "")


class DependencyIndex:
    """Maps an external object to the Workspaces whose plan depends on it; each operation is O(1) per dependency."""

    def __init__(self) -> None:
        self._dependencies: dict[Key, Dependencies] = {}
        self._interested: dict[ObjectRef, set[Key]] = {}
        self._newest = Dependencies()

    def set(self, key: Key, dependencies: Dependencies) -> Dependencies:
        """Set the dependencies of the Workspace `key` to `dependencies`, and return them.

        Thousands of Workspaces have equal dependencies, so equal ones in a row share one object.
        """
        self.forget(key)
        if dependencies != self._newest:
            self._newest = dependencies
        self._dependencies[key] = self._newest
        for ref in _refs(key, dependencies):
            self._interested.setdefault(ref, set()).add(key)
        return self._newest

    def forget(self, key: Key) -> None:
        """Remove all dependencies of the Workspace `key`."""
        for ref in _refs(key, self._dependencies.pop(key, Dependencies())):
            keys = self._interested[ref]
            keys.discard(key)
            if not keys:
                del self._interested[ref]

    def dependents_of(self, ref: ObjectRef) -> tuple[Key, ...]:
        """Return the Workspaces that depend on the ConfigMap, namespace or InferencePool `ref`, or on nodes if `ref` is a node."""
        return tuple(self._interested.get(_ANY_NODE if ref.kind == "Node" else ref, ()))


def _refs(key: Key, dependencies: Dependencies) -> list[ObjectRef]:
    config = [ObjectRef("ConfigMap", key[0], dependencies.config)] if dependencies.config else []
    namespace = [ObjectRef("Namespace", "", key[0])] if dependencies.namespace else []
    pools = [ObjectRef("InferencePool", key[0], name) for name in dependencies.sibling_pools]
    return [*config, *namespace, *pools, *([_ANY_NODE] if dependencies.nodes else [])]
