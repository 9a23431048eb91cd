"""All watched records, one typed store per row of the table of watched kinds; knows nothing of passes."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.names import names
from workspace_ctrl.cache import watches
from workspace_ctrl.cache.chart_inventory import InventoryStore, InventoryTable
from workspace_ctrl.cache.unhealthy_pods import UnhealthyPods
from workspace_ctrl.cache.watches import CHART_OBJECTS, Enqueues, Record, RecordT, WatchedKind, read_written
from workspace_ctrl.kube.partitioned_store import PartitionedStore
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key, Sink, Store
from workspace_ctrl.planning.manifests import kind_of
from workspace_ctrl.records.chart_inventory import CHART_OBJECT_KINDS, ChartObjectId, chart_object_id
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.workloads import PersistentVolumeClaim, Service, Workload
from workspace_ctrl.records.workspaces import WorkspaceRecord

RecordStore: TypeAlias = Store[RecordT] | PartitionedStore[RecordT]

_ALL_KINDS: Final = frozenset(CHART_OBJECT_KINDS)


def _by_group(_owner_of: Callable[[WorkspaceRecord], Key | None]) -> Store[WorkspaceRecord]:
    """Return a store that finds the members of a group."""
    return Store(lambda record: (record.meta.ref.namespace, record.group) if record.group else None)


def _with_routes_of_groups(owner_of: Callable[[HTTPRoute], Key | None]) -> Store[HTTPRoute]:
    """Return a store that also finds the routes of all groups of a namespace, whose owner has an empty name."""
    return Store(lambda record: (record.meta.ref.namespace, "") if record.group else owner_of(record))


def _age(record: WorkspaceRecord) -> tuple[str, str]:
    return record.created, record.meta.ref.name


class Cache:
    """One store per watched kind, and a table for the objects of charts."""

    def __init__(
        self, namespaces_of: Callable[[WatchedKind[Any]], tuple[str, ...]] = lambda _watched: (), *, companion: bool = False
    ) -> None:
        """Make empty stores; `namespaces_of` returns the namespaces in which a kind is watched, none for all of them.

        `companion` is whether the status of Workspaces is KAITO's, so that ours is kept elsewhere.
        """
        self._namespaces_of = namespaces_of
        self.is_companion = companion
        self._readers: Mapping[str, WatchedKind[Any]] = watches.OF_KAITO if companion else {}
        self._sinks: dict[str, Mapping[str, Sink[Any]]] = {}
        self._stores: dict[str, RecordStore[Any]] = {}
        self.workspaces = self._store(watches.WORKSPACES, _by_group)
        self.inference_sets = self._store(watches.INFERENCE_SETS, _by_group)
        self.deployments = self._store(watches.DEPLOYMENTS)
        self.stateful_sets = self._store(watches.STATEFUL_SETS)
        self.volume_claims = self._store(watches.VOLUME_CLAIMS)
        self.services = self._store(watches.SERVICES)
        self.pods = self._store(watches.PODS)
        self.oci_repositories = self._store(watches.OCI_REPOSITORIES)
        self.helm_releases = self._store(watches.HELM_RELEASES)
        self.http_routes = self._store(watches.HTTP_ROUTES, _with_routes_of_groups)
        self.inference_pools = self._store(watches.INFERENCE_POOLS)
        self.gateways = self._store(watches.GATEWAYS)
        self.gateway_classes = self._store(watches.GATEWAY_CLASSES)
        self.config_maps = self._store(watches.CONFIG_MAPS)
        self.nodes = self._store(watches.NODES)
        self.namespaces = self._store(watches.NAMESPACES)
        self.gateway_proxies = self._store(watches.GATEWAY_PROXIES)
        self.picker_pods = self._store(watches.PICKER_PODS, UnhealthyPods)
        self.gateway_services = self._store(watches.GATEWAY_SERVICES)
        self._chart_objects = InventoryTable()
        self._is_all_listed = False
        """Whether all kinds of charts' objects have been listed, in all namespaces that are watched."""
        self._chart_object_stores = [self._inventory_stores(watched) for watched in CHART_OBJECTS]

    def _store(
        self, watched: WatchedKind[RecordT], make: Callable[[Callable[[RecordT], Key | None]], Store[RecordT]] = Store
    ) -> RecordStore[RecordT]:
        """Return an empty store for a row, and keep what its informers fill."""
        namespaces = self._namespaces_of(watched)
        if namespaces:
            partitioned = PartitionedStore(watched.owner_key, namespaces, make)
            self._sinks[watched.name], self._stores[watched.name] = partitioned.parts, partitioned
            return partitioned
        store = make(watched.owner_key)
        self._sinks[watched.name], self._stores[watched.name] = {"": store}, store
        return store

    def _inventory_stores(self, watched: WatchedKind[Any]) -> Mapping[str, InventoryStore]:
        namespaces = self._namespaces_of(watched) or ("",)
        stores = {namespace: InventoryStore(self._chart_objects, watched.resource.kind, namespace) for namespace in namespaces}
        self._sinks[watched.name] = stores
        return stores

    def sinks(self, watched: WatchedKind[Any]) -> Mapping[str, Sink[Any]]:
        """Return what the informers of a kind fill, by the namespace that each of them watches; empty for all."""
        return self._sinks[watched.name]

    def reader(self, watched: WatchedKind[Any]) -> Callable[[Json, str], Any]:
        """Return what reads the objects of a row."""
        return self._readers.get(watched.resource.kind, watched).read

    def holder(self, key: Key) -> WorkspaceRecord | None:
        """Return the Workspace or InferenceSet to which the objects of the name `key` belong: if there are both, the older one."""
        workspace, other = self.workspaces.get(key), self.inference_sets.get(key)
        if workspace is None or other is None:
            return workspace or other
        return other if other.created < workspace.created else workspace

    def rival(self, key: Key) -> WorkspaceRecord | None:
        """Return the younger of a Workspace and an InferenceSet of the name `key`; None if there are not both."""
        workspace, other = self.workspaces.get(key), self.inference_sets.get(key)
        if workspace is None or other is None:
            return None
        return workspace if self.holder(key) is other else other

    def holder_keys(self) -> tuple[Key, ...]:
        """Return the names of all Workspaces and InferenceSets."""
        keys, others = self.workspaces.keys(), self.inference_sets.keys()
        return (*keys, *(key for key in others if self.workspaces.get(key) is None)) if others else tuple(keys)

    def members_of(self, group: Key) -> tuple[WorkspaceRecord, ...]:
        """Return the Workspaces and InferenceSets that name the group `group`, given as namespace and name, the oldest first."""
        found = (*self.workspaces.owned_by(group), *self.inference_sets.owned_by(group))
        return tuple(sorted((record for record in found if self.holder(record.key) is record), key=_age))

    def group_routes(self, namespace: str) -> tuple[HTTPRoute, ...]:
        """Return the routes of the groups of a namespace."""
        return tuple(route for route in self.http_routes.owned_by((namespace, "")) if route.group)

    def copies_of(self, key: Key) -> tuple[Workload, ...]:
        """Return the StatefulSets of an InferenceSet, a copy of the model each; none of a Workspace."""
        return self.stateful_sets.owned_by(key) if self.inference_sets.get(key) is not None else ()

    def is_starting(self, watched: WatchedKind[RecordT], record: RecordT) -> bool:
        """Whether a record is of an object that exists and is on its way; one that was deleted is not."""
        ref = record.meta.ref
        return watched.is_starting(record) and self._stores[watched.name].get((ref.namespace, ref.name)) is record

    def is_being_deployed(self, key: Key) -> bool:
        """Whether the Workspace `key` has releases, and Flux has deployed the newest spec of none of them."""
        releases = self.helm_releases.owned_by(key)
        return bool(releases) and not any(release.deployed or release.meta.deleting for release in releases)

    def owner_of(self, watched: WatchedKind[RecordT], record: RecordT) -> Key | None:
        """Return the Workspace that a record belongs to; None if it belongs to none."""
        key = watched.owner_key(record)
        if key is None or watched.enqueues is not Enqueues.OWNER_OF_DEPLOYMENT:
            return key
        deployment = self.deployments.get(key)
        return (key[0], deployment.meta.workspace) if deployment is not None and deployment.meta.workspace else None

    def chart_objects_of(self, key: Key) -> dict[ChartObjectId, int]:
        """Return the objects of a Workspace's chart with their content checksums; those of two kinds are in stores of their own."""
        objects = self._chart_objects.of(key)
        records: Iterable[Workload | InferencePool] = chain(self.deployments.owned_by(key), self.inference_pools.owned_by(key))
        for record in records:
            if record.shape:
                objects[chart_object_id(record.ref.kind, record.ref.name)] = record.shape
        return objects

    def chart_object_kinds(self, namespace: str) -> frozenset[str]:
        """Return the kinds of charts' objects that have been listed in a namespace."""
        if self._is_all_listed:
            return _ALL_KINDS
        kinds = {"Deployment", "InferencePool"}
        for stores in self._chart_object_stores:
            store = stores.get(namespace) or stores.get("")
            if store is not None and store.is_filled:
                kinds.add(store.kind)
        self._is_all_listed = all(store.is_filled for stores in self._chart_object_stores for store in stores.values())
        return frozenset(kinds)

    def route_of(self, key: Key) -> HTTPRoute | None:
        """Return the HTTPRoute with the name of that of the Workspace `key`, whoever owns it."""
        return self.http_routes.get((key[0], names(key[1]).route))

    def route_created(self, workspace: WorkspaceRecord) -> str:
        """Return the creation time of the route of a Workspace, as text that sorts by time; empty if it has none."""
        route = self.route_of(workspace.key)
        return route.created if route is not None and route.meta.is_controlled_by(workspace.meta.uid) else ""

    def write_through(self, answer: Json) -> Record:
        """Take in the object that the API server returned for one of our writes, if its kind is watched for all; return its record."""
        kind = kind_of(answer)
        record: Record = self._readers[kind].read(answer, kind) if kind in self._readers else read_written(answer)
        ref, version = record.meta.ref, int(answer["metadata"]["resourceVersion"])
        self._put((ref.namespace, ref.name), record, version)
        return record

    def _put(self, key: Key, record: Record, version: int) -> None:
        match record:
            case WorkspaceRecord():
                owners = self.workspaces if record.meta.ref.kind == KIND else self.inference_sets
                owners.write_through(key, record, version)
            case Workload():
                store = self.deployments if record.ref.kind == "Deployment" else self.stateful_sets
                store.write_through(key, record, version)
            case PersistentVolumeClaim():
                self.volume_claims.write_through(key, record, version)
            case Service():
                self.services.write_through(key, record, version)
            case OCIRepository():
                self.oci_repositories.write_through(key, record, version)
            case HelmRelease():
                self.helm_releases.write_through(key, record, version)
            case HTTPRoute():
                self.http_routes.write_through(key, record, version)
