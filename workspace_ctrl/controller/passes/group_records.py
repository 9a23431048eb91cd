"""The observed objects of the groups that concern a Workspace: of all members, because each of them plans the whole route of its group."""

from collections.abc import Callable, Iterator

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.records.workspaces import WorkspaceRecord


class GroupObserver:
    """Finds the members of groups and their objects in the cache."""

    def __init__(self, cache: Cache, watches: DynamicWatches, has_pass: Callable[[Key], bool], *, is_shard: bool) -> None:
        """Make it; `has_pass` is whether a Workspace had a pass in this process, so that what it references is watched.

        `is_shard` is whether this process reconciles only some of the cluster's Workspaces.
        """
        self._cache = cache
        self._watches = watches
        self._has_pass = has_pass
        self._is_shard = is_shard

    def groups_of(self, workspace: WorkspaceRecord) -> tuple[GroupRecords, ...]:
        """Return the group of a Workspace, and those that it has left whose routes it still owns, in a pass over it."""
        namespace = workspace.meta.ref.namespace
        left = (route.group for route in self._cache.group_routes(namespace) if workspace.meta.uid in route.owners)
        return tuple(self._records(namespace, name, workspace.key) for name in dict.fromkeys((workspace.group, *left)) if name)

    def _records(self, namespace: str, name: str, of_pass: Key) -> GroupRecords:
        namesake = self._cache.holder((namespace, name))
        return GroupRecords(
            name=name,
            members=tuple(self._members(namespace, name, of_pass)),
            route=self._cache.http_routes.get((namespace, name)),
            namesake=namesake.meta.ref if namesake is not None else None,
            is_shard=self._is_shard,
        )

    def _members(self, namespace: str, name: str, of_pass: Key) -> Iterator[MemberRecords]:
        for workspace in self._cache.members_of((namespace, name)):
            key, referenced = workspace.key, self._watches.of(workspace.key)
            pods = {pod.meta.ref: pod for pod in (*self._cache.pods.owned_by(key), *referenced.pods)}
            pools = (*self._cache.inference_pools.owned_by(key), *((referenced.pool,) if referenced.pool is not None else ()))
            yield MemberRecords(
                workspace=workspace,
                route=self._cache.http_routes.get(key),
                pools=pools,
                deployments=self._cache.deployments.owned_by(key),
                stateful_sets=self._cache.stateful_sets.owned_by(key),
                pods=tuple(pods.values()),
                is_observed=(key == of_pass or self._has_pass(key)) and self._watches.is_synced(key),
            )
