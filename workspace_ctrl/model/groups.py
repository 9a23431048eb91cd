"""A group: Workspaces and InferenceSets of one namespace that share an endpoint, as observed."""

from dataclasses import dataclass, replace

from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class MemberRecords:
    """A Workspace or InferenceSet that names the group, and what shows whether it serves its model."""

    workspace: WorkspaceRecord
    route: HTTPRoute | None = None
    """Its own route."""
    pools: tuple[InferencePool, ...] = ()
    """Its InferencePools; two while its chart is replaced by another one."""
    deployments: tuple[Workload, ...] = ()
    """Its Deployments, that of the endpoint picker among them."""
    stateful_sets: tuple[Workload, ...] = ()
    """Its StatefulSets: a model on several nodes has one, and each copy of it in an InferenceSet."""
    pods: tuple[Pod, ...] = ()
    is_observed: bool = True
    """Whether all that it references has been listed, so that what is missing here does not exist."""


@dataclass(frozen=True, slots=True)
class GroupRecords:
    """The observed objects of one group."""

    name: str
    members: tuple[MemberRecords, ...] = ()
    """The oldest first."""
    route: HTTPRoute | None = None
    """The HTTPRoute with the name of the group, whoever owns it."""
    namesake: ObjectRef | None = None
    """The Workspace or InferenceSet with the name of the group, whose own objects have that name."""
    is_shard: bool = False
    """Whether there may be members that another process reconciles, and that are unknown here."""

    @property
    def has_own_route(self) -> bool:
        """Whether the HTTPRoute with the name of the group is its route.

        The label of the group says so. Where somebody has removed or changed it, the API server's notes do: a member owns the route, none
        controls it, and we have applied it.
        """
        route = self.route
        if route is None or route.group == self.name:
            return route is not None
        is_owned = not route.owners.isdisjoint(member.workspace.meta.uid for member in self.members)
        return is_owned and not route.meta.controller_uid and bool(route.meta.owned)

    def with_route(self, route: HTTPRoute) -> "GroupRecords":
        """Return the records with `route` as it is after a write, if it is the group's."""
        return replace(self, route=route) if route.group == self.name else self
