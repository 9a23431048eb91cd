"""Which Workspace has which route matches on listeners, kept by the passes and primed from the routes of earlier processes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_conflicts import (
    RouteClaimIndex,
    claims_of,
    claims_of_groups,
    claims_of_other_shard,
    claims_of_other_shards,
    claims_of_routes,
)
from workspace_ctrl.controller.passes.gateway_tasks import GatewayTasks
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.route_claims import (
    RouteClaim,
    RouteClaimHolder,
    TakenClaims,
    group_holder,
    group_of_holder,
    group_with_claim,
    holder_title,
    names_of_members,
    workspace_of_holder,
    yielding_holder,
)
from workspace_ctrl.planning.traffic.group_steps import DesiredGroup
from workspace_ctrl.records.workspaces import WorkspaceRecord

_NOT_YET: Final = "~"
"""Sorts after every time."""


class RouteClaims:
    """The claims of all Workspaces, those of other shards included as far as their routes show them."""

    def __init__(
        self,
        cache: Cache,
        gateways: GatewayTasks,
        changed: Callable[[Key], None],
        *,
        is_shard: bool,
    ) -> None:
        """Make it; `changed` is called with each Workspace for which another one has taken or given up route matches.

        `is_shard` is whether this process reconciles only some of the cluster's Workspaces.
        """
        self._cache = cache
        self._gateways = gateways
        self._is_shard = is_shard
        self._index = RouteClaimIndex(lambda key: self._tell(key, changed))
        self._groups: dict[Key, set[RouteClaimHolder]] = {}
        """Member → the groups of which it made claims, as their holders."""
        self._unseen: set[Key] = set()
        """Workspaces without a pass since the start, or since the served kinds changed."""

    def prime(self) -> None:
        """Take in what routes of earlier processes claim, so that the first pass over a Workspace knows of older ones."""
        for workspace, claims in claims_of_routes(self._cache):
            self._set_of_route(workspace.key, self._since(workspace), claims)
        for key, created, claims in claims_of_other_shards(self._cache) if self._is_shard else ():
            self._set_of_route(key, created, claims)
        for holder, created, claims in claims_of_groups(self._cache, is_shard=self._is_shard):
            self._index.set(holder, created, claims)
        self.expect_all()

    def expect_all(self) -> None:
        """Take the claims for incomplete until there was a pass over each Workspace."""
        self._unseen.update(self._cache.holder_keys())
        self._note()

    def claim(
        self, workspace: WorkspaceRecord, claims: frozenset[RouteClaim] | None, groups: Sequence[DesiredGroup] = ()
    ) -> TakenClaims:
        """Note the claims of a Workspace, None for those that it had, and of the groups that concern it; return those that others have."""
        key, own = workspace.key, next((group for group in groups if group.has(workspace.meta.ref)), None)
        if claims is not None:
            of_group = own.claims if own is not None else frozenset[RouteClaim]()
            yielding = claims & of_group | self._of_live_groups(key, claims)
            self._set(key, self._since(workspace), claims - yielding)
            self._set(yielding_holder(key), _NOT_YET, yielding)
        self._note_groups(key, groups)
        found = {**self._index.taken(key), **self._index.taken(yielding_holder(key))}
        if own is not None:
            found = {claim: other for claim, other in found.items() if other != group_holder(key[0], own.records.name)}
        members = {(key[0], member.name) for member in own.members} if own is not None else set()
        of_groups = {
            group.records.name: self._titled(self._index.taken(group_holder(key[0], group.records.name))) for group in groups
        }
        return TakenClaims(self._titled(found), names_of_members(found, members), of_groups)

    def _set_of_route(self, key: Key, since: str, claims: frozenset[RouteClaim]) -> None:
        """Note what a route shows of the claims of a Workspace: a match that the route of a group has as well is the group's."""
        self._index.set(key, since, claims - self._of_live_groups(key, claims))

    def _set(self, holder: RouteClaimHolder, since: str, claims: frozenset[RouteClaim]) -> None:
        if self._index.set(holder, since, claims):
            self._note()

    def _of_live_groups(self, key: Key, claims: Iterable[RouteClaim]) -> frozenset[RouteClaim]:
        """Return which of the claims of a Workspace the routes of groups of its namespace have already.

        Within a namespace, a group keeps what its route has: a Workspace that is older, such as one that has left the group, and asks for
        that later, would end the group otherwise.
        """
        beside = {
            name: self._cache.http_routes.get((key[0], name)) for claim in claims if (name := group_with_claim(claim, key[0]))
        }
        live = (
            claims_of(route, self._cache.gateways.get)
            for name, route in beside.items()
            if route is not None and route.group == name and not route.meta.deleting
            if any(member.key != key for member in self._cache.members_of((key[0], name)))
        )
        return frozenset(claims).intersection(frozenset[RouteClaim]().union(*live))

    def _note_groups(self, member: Key, groups: Iterable[DesiredGroup]) -> None:
        """Note the claims of the groups that concern a Workspace; those of their members yield to them."""
        holders = {group_holder(member[0], group.records.name): group for group in groups}
        for holder, group in holders.items():
            self._set(holder, (group.route_created or _NOT_YET) if self._is_shard else group.since, group.claims)
            for each in group.members:
                self._yield((member[0], each.name), group.claims)
        left = self._groups.pop(member, set()) - holders.keys()
        if holders:
            self._groups[member] = set(holders)
        self._forget_empty(left)

    def _yield(self, key: Key, to: frozenset[RouteClaim]) -> None:
        """Let those claims of a Workspace that are among `to` yield to all others."""
        created, claims = self._index.claims(key)
        if claims & to:
            _, yielding = self._index.claims(yielding_holder(key))
            self._set(key, created, claims - to)
            self._set(yielding_holder(key), _NOT_YET, yielding | (claims & to))

    def _titled(self, taken: Mapping[RouteClaim, RouteClaimHolder]) -> dict[RouteClaim, str]:
        return {claim: holder_title(other, self._kind_of(other)) for claim, other in taken.items()}

    def _kind_of(self, holder: RouteClaimHolder) -> str:
        """Return the kind of what holds claims; of another shard's, it cannot be seen."""
        record = self._cache.holder(workspace_of_holder(holder))
        return record.meta.ref.kind if record is not None else f"{KIND} or {SET_KIND}"

    def seen(self, key: Key) -> None:
        """Note that there was a pass over the Workspace `key`."""
        if key in self._unseen:
            self._unseen.discard(key)
            self._note()

    def forget(self, key: Key) -> None:
        """Note that the Workspace `key` is gone, or belongs to another shard now."""
        self._set_of_route(key, *(claims_of_other_shard(self._cache, key) if self._is_shard else ("", frozenset())))
        self._index.forget(yielding_holder(key))
        self._forget_empty(self._groups.pop(key, set()))
        self._unseen.discard(key)
        self._note()

    def _forget_empty(self, holders: Iterable[RouteClaimHolder]) -> None:
        """Remove the claims of those groups that have no members any more."""
        for holder in holders:
            if not self._cache.members_of((holder[0], group_of_holder(holder))):
                self._index.forget(holder)

    def _tell(self, holder: Key, changed: Callable[[Key], None]) -> None:
        """Call `changed` with a Workspace, or with all members of a group."""
        group = group_of_holder(holder)
        for member in self._cache.members_of((holder[0], group)) if group else ():
            changed(member.key)
        if not group:
            changed(workspace_of_holder(holder))

    def _note(self) -> None:
        self._gateways.note(self._index, all_told=not self._unseen)

    def _since(self, workspace: WorkspaceRecord) -> str:
        """Return the age by which a Workspace's claims go before those of others, as text that sorts by time.

        Processes for shards see of each other's Workspaces only the routes; so that all of them decide alike, theirs count from the
        creation of the route, as Gateways do it. Without shards a Workspace counts from its own creation.
        """
        return (self._cache.route_created(workspace) or _NOT_YET) if self._is_shard else workspace.created
