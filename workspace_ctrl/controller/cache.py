"""All records that were watched, and the snapshot of one Workspace's."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workspace_ctrl.api.names import names
from workspace_ctrl.controller.claims import accepted_claims, claims_of
from workspace_ctrl.controller.kinds import (
    BY_KIND,
    PICKER_POD,
    WATCHED,
    WORKSPACE,
    WatchedKind,
    read_written,
)
from workspace_ctrl.controller.parts import PartStore, PartTable
from workspace_ctrl.controller.picker_pods import TroubledPods
from workspace_ctrl.kube.partitions import PartitionedStore
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key, Sink, Store
from workspace_ctrl.records.claims import Claim
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.parts import PartId, part_id
from workspace_ctrl.records.workspaces import WorkspaceRecord


class Cache:
    """One store per watched kind, and a table for the objects of charts."""

    def __init__(self, namespaces_of: Callable[[WatchedKind], tuple[str, ...]] = lambda _watched: ()) -> None:
        self.stores: dict[str, Store[Any] | PartitionedStore[Any]] = {
            watched.store: _store(watched, namespaces_of(watched)) for watched in WATCHED if not watched.is_part
        }
        """Name of the store, mostly the kind → its records."""
        self._parts = PartTable()
        self._part_stores = {
            watched.store: {
                namespace: PartStore(self._parts, watched.resource.kind, namespace) for namespace in namespaces_of(watched) or ("",)
            }
            for watched in WATCHED
            if watched.is_part
        }

    def sinks(self, watched: WatchedKind) -> Mapping[str, Sink[Any]]:
        """Return what the informers of a kind fill, by the namespace that each of them watches; empty for all."""
        if watched.is_part:
            return self._part_stores[watched.store]
        store = self.stores[watched.store]
        return store.parts if isinstance(store, PartitionedStore) else {"": store}

    def workspace(self, key: Key) -> WorkspaceRecord | None:
        """Return the Workspace, or None."""
        record: WorkspaceRecord | None = self.stores[WORKSPACE.kind].get(key)
        return record

    def workspace_keys(self) -> tuple[Key, ...]:
        """Return the keys of all Workspaces."""
        return self.stores[WORKSPACE.kind].keys()

    def workspace_of(self, watched: WatchedKind, record: Any) -> Key | None:  # noqa: ANN401
        """Return the key of the Workspace that a record belongs to; None for one that concerns all, or none."""
        key = _owner_key(watched, record)
        if key is None or not watched.owners:
            return key
        owner = self.stores[watched.owners].get(key)
        return (key[0], owner.meta.workspace) if owner is not None and owner.meta.workspace else None

    def parts_of(self, key: Key) -> dict[PartId, int]:
        """Return the objects of a Workspace's chart; those of two kinds lie in stores, as more is read in them."""
        parts = self._parts.of(key)
        for record in (*self.stores["Deployment"].owned_by(key), *self.stores["InferencePool"].owned_by(key)):
            if record.shape:
                parts[part_id(record.meta.ref.kind, record.meta.ref.name)] = record.shape
        return parts

    def part_kinds(self, namespace: str) -> frozenset[str]:
        """Return the kinds of charts' objects that have been listed in a namespace."""
        kinds = {"Deployment", "InferencePool"}
        for stores in self._part_stores.values():
            store = stores.get(namespace) or stores.get("")
            if store is not None and store.is_filled:
                kinds.add(store.kind)
        return frozenset(kinds)

    def claims(self) -> Iterator[tuple[WorkspaceRecord, frozenset[Claim]]]:
        """Yield each Workspace that has a route, and what its route claims on listeners."""
        for route in self.stores["HTTPRoute"].values():
            workspace = self.workspace((route.ref.namespace, route.meta.workspace))
            if workspace is not None and route.meta.is_controlled_by(workspace.meta.uid):
                yield workspace, claims_of(route, self.stores["Gateway"].get)

    def route_created(self, workspace: WorkspaceRecord) -> str:
        """Return since when there is the route of a Workspace, as text that sorts by time; empty where there is none."""
        route = self._route(workspace.key)
        return route.created if route is not None and route.meta.is_controlled_by(workspace.meta.uid) else ""

    def claims_of_others(self) -> Iterator[tuple[Key, str, frozenset[Claim]]]:
        """Yield the same of each Workspace that another process looks after, as far as its route shows it."""
        for route in self.stores["HTTPRoute"].values():
            key = route.ref.namespace, route.meta.workspace
            if self.workspace(key) is None:
                yield key, *self.claims_of_other(key)

    def claims_of_other(self, key: Key) -> tuple[str, frozenset[Claim]]:
        """Return since when there is a route of the Workspace `key`, which another process looks after, and what it claims.

        The route's age is that which the API server gave it: what others have written into it is not believed.
        """
        route = self._route(key)
        return ("", frozenset()) if route is None else (route.created, accepted_claims(route, self.stores["Gateway"].get))

    def _route(self, key: Key) -> HTTPRoute | None:
        """Return what has the name of the route of the Workspace `key`, whosesoever it is."""
        route: HTTPRoute | None = self.stores["HTTPRoute"].get((key[0], names(key[1]).route))
        return route

    def write_through(self, answer: Json) -> Any:  # noqa: ANN401
        """Take in the object that the API server returned for one of our writes, where its kind is watched for all; return its record."""
        kind, metadata = answer["kind"], answer["metadata"]
        record = read_written(answer)
        if kind in BY_KIND:
            key = metadata.get("namespace", ""), metadata["name"]
            self.stores[kind].write_through(key, record, int(metadata["resourceVersion"]))
        return record


def _store(watched: WatchedKind, namespaces: tuple[str, ...]) -> Store[Any] | PartitionedStore[Any]:
    owner_of = _owner_function(watched)
    make: Callable[[Callable[[Any], Key | None]], Store[Any]] = TroubledPods if watched.store == PICKER_POD else Store
    return PartitionedStore(owner_of, namespaces, make) if namespaces else make(owner_of)


def _owner_key(watched: WatchedKind, record: Any) -> Key | None:  # noqa: ANN401
    owner = watched.workspace_of(record) if watched.workspace_of else ""
    return (record.meta.ref.namespace, owner) if owner else None


def _owner_function(watched: WatchedKind) -> Callable[[Any], Key | None]:
    return lambda record: _owner_key(watched, record)
