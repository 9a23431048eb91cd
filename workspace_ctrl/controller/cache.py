"""All records that were watched, and the snapshot of one Workspace's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from workspace_ctrl.api.names import names
from workspace_ctrl.controller.claims import claims_of
from workspace_ctrl.controller.kinds import BY_KIND, GATEWAY_PROXY, GATEWAY_SERVICE, WATCHED, WORKSPACE, WatchedKind
from workspace_ctrl.controller.memory import Memory
from workspace_ctrl.controller.references import Referenced
from workspace_ctrl.kube.partitions import PartitionedStore
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.records.claims import Claim, ClaimHolder
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


class Cache:
    """One store per watched kind."""

    def __init__(self, namespaces_of: Callable[[WatchedKind], tuple[str, ...]] = lambda _watched: ()) -> None:
        self.stores: dict[str, Store[Any] | PartitionedStore[Any]] = {
            watched.store: _store(watched, namespaces_of(watched)) for watched in WATCHED
        }
        """Name of the store, mostly the kind → its records."""

    def workspace(self, key: Key) -> WorkspaceRecord | None:
        """Return the Workspace, or None."""
        record: WorkspaceRecord | None = self.stores[WORKSPACE.kind].get(key)
        return record

    def workspace_keys(self) -> tuple[Key, ...]:
        """Return the keys of all Workspaces."""
        return self.stores[WORKSPACE.kind].keys()

    def snapshot(
        self,
        key: Key,
        memory: Memory,
        referenced: Referenced,
        missing_kinds: Iterable[str],
        taken: Mapping[Claim, ClaimHolder] = MappingProxyType({}),
    ) -> Snapshot:
        """Return what is there of the Workspace `key` now."""
        namespace, workspace = key
        derived = names(workspace)
        stores = self.stores

        def get(kind: str, name: str) -> Any:  # noqa: ANN401
            return stores[kind].get((namespace, name))

        own = [get(kind, derived.workload) for kind in ("Deployment", "StatefulSet")]
        return Snapshot(
            workloads=tuple(workload for workload in own if workload is not None),
            services=stores["Service"].owned_by(key),
            claims=stores["PersistentVolumeClaim"].owned_by(key),
            reference=referenced.workload,
            reference_trouble=referenced.trouble,
            config_map=get("ConfigMap", memory.interests.config),
            pods=(*stores["Pod"].owned_by(key), *referenced.pods),
            source=get("OCIRepository", derived.source),
            release=get("HelmRelease", derived.source),
            endpoint_picker=get("Deployment", derived.endpoint_picker),
            pool=get("InferencePool", derived.release),
            route=get("HTTPRoute", derived.route),
            named_route=referenced.route,
            named_pool=referenced.pool,
            companion=referenced.companion,
            companion_trouble=referenced.companion_trouble,
            gateways=tuple(stores["Gateway"].values()),
            gateway_classes=tuple(stores["GatewayClass"].values()),
            gateway_services=tuple(stores[GATEWAY_SERVICE].values()),
            gateway_proxies=tuple(stores[GATEWAY_PROXY].values()),
            namespace=stores["Namespace"].get(("", namespace)),
            taken=taken,
            nodes=tuple(stores["Node"].values()) if memory.interests.nodes else (),
            missing_kinds=frozenset(missing_kinds),
            answers=memory.answers,
            tolerated=memory.tolerated,
        )

    def claims(self) -> Iterator[tuple[Key, str, frozenset[Claim]]]:
        """Yield each Workspace that has a route, when it was created, and what its route claims on listeners."""
        gateways = {(gateway.ref.namespace, gateway.ref.name): gateway for gateway in self.stores["Gateway"].values()}
        for route in self.stores["HTTPRoute"].values():
            workspace = self.workspace((route.ref.namespace, route.meta.workspace))
            if workspace is not None and route.meta.is_controlled_by(workspace.meta.uid):
                yield workspace.key, workspace.created, claims_of(route, gateways)

    def write_through(self, answer: Json) -> None:
        """Take in the object that the API server answered to one of our writes, where its kind is watched for all."""
        watched = BY_KIND.get(answer["kind"])
        if watched is None:
            return
        metadata = answer["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        record = watched.parse(answer, watched.resource.kind)
        self.stores[watched.resource.kind].write_through(key, record, int(metadata["resourceVersion"]))


def _store(watched: WatchedKind, namespaces: tuple[str, ...]) -> Store[Any] | PartitionedStore[Any]:
    owner_of = _owner_function(watched)
    return PartitionedStore(owner_of, namespaces) if namespaces else Store(owner_of)


def owner_key(watched: WatchedKind, record: Any) -> Key | None:  # noqa: ANN401
    """Return the key of the Workspace that a record belongs to; None for one that concerns all, or none."""
    workspace = watched.workspace_of(record) if watched.workspace_of else ""
    return (record.meta.ref.namespace, workspace) if workspace else None


def _owner_function(watched: WatchedKind) -> Callable[[Any], Key | None]:
    return lambda record: owner_key(watched, record)
