"""All records that were watched, and the snapshot of one Workspace's."""

from collections.abc import Callable, Iterable
from typing import Any

from workspace_ctrl.api.names import names
from workspace_ctrl.controller.kinds import BY_KIND, GATEWAY_PROXY, WATCHED, WORKSPACE, WatchedKind
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.records.snapshot import DryRun, Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


class Cache:
    """One store per watched kind."""

    def __init__(self) -> None:
        self.stores: dict[str, Store[Any]] = {watched.store: Store(_owner_function(watched)) for watched in WATCHED}
        """Name of the store, mostly the kind → its records."""

    def workspace(self, key: Key) -> WorkspaceRecord | None:
        """Return the Workspace, or None."""
        record: WorkspaceRecord | None = self.stores[WORKSPACE.kind].get(key)
        return record

    def workspace_keys(self) -> tuple[Key, ...]:
        """Return the keys of all Workspaces."""
        return self.stores[WORKSPACE.kind].keys()

    def snapshot(self, key: Key, dry_run: DryRun | None, missing_kinds: Iterable[str]) -> Snapshot:
        """Return what is there of the Workspace `key` now."""
        namespace, workspace = key
        derived = names(workspace)
        stores = self.stores

        def get(kind: str, name: str) -> Any:  # noqa: ANN401
            return stores[kind].get((namespace, name))

        return Snapshot(
            workload=get("Deployment", derived.workload),
            service=get("Service", derived.service),
            pods=stores["Pod"].owned_by(key),
            source=get("OCIRepository", derived.source),
            release=get("HelmRelease", derived.source),
            endpoint_picker=get("Deployment", derived.endpoint_picker),
            pool=get("InferencePool", derived.release),
            route=get("HTTPRoute", derived.route),
            gateways=tuple(stores["Gateway"].values()),
            gateway_classes=tuple(stores["GatewayClass"].values()),
            gateway_proxies=tuple(stores[GATEWAY_PROXY].values()),
            missing_kinds=frozenset(missing_kinds),
            dry_run=dry_run,
        )

    def write_through(self, answer: Json) -> None:
        """Take in the object that the API server answered to one of our writes."""
        watched = BY_KIND[answer["kind"]]
        metadata = answer["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        record = watched.parse(answer, watched.resource.kind)
        self.stores[watched.resource.kind].write_through(key, record, int(metadata["resourceVersion"]))


def owner_key(watched: WatchedKind, record: Any) -> Key | None:  # noqa: ANN401
    """Return the key of the Workspace that a record belongs to; None for one that concerns all, or none."""
    workspace = watched.workspace_of(record) if watched.workspace_of else ""
    return (record.meta.ref.namespace, workspace) if workspace else None


def _owner_function(watched: WatchedKind) -> Callable[[Any], Key | None]:
    return lambda record: owner_key(watched, record)
