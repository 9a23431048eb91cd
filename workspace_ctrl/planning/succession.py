"""One chart takes another's place without losing a request: both stand side by side, the route moves, and the former one goes.

Helm cannot make one chart of another in place: the pool would be away in between. So the new chart gets names of its own, and the route
leads to the former pool until the new one can answer. The former chart goes once the status says that requests get through without it,
which is the whole chain's word, and stays written over a restart.
"""

from collections.abc import Iterator

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.planning.removal import delete_steps, uninstall_steps
from workspace_ctrl.planning.steps import Step
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


def routed_pool(snapshot: Snapshot, pool: str) -> str:
    """Return the pool that the route is to lead to: `pool`, but a former chart's while the route leads there and `pool` cannot answer."""
    former = {each.ref.name for each in snapshot.former.pools if not each.meta.deleting}
    if not former or snapshot.route is None or _answers(snapshot):
        return pool
    return next((name for rule in snapshot.route.rules for name in rule.pools if name in former), pool)


def retirement_steps(workspace: WorkspaceRecord, snapshot: Snapshot, pool: str) -> Iterator[Step]:
    """Yield the next steps of removing former charts, once requests are answered through `pool`."""
    former, uid = snapshot.former, workspace.meta.uid
    if not former or not _is_told_ready(workspace, pool):
        return
    for release in former.releases:
        if release.meta.is_controlled_by(uid):
            yield from uninstall_steps(release)
    installed = {release.ref.name for release in former.releases}
    for source in former.sources:
        if source.meta.is_controlled_by(uid) and source.ref.name not in installed:
            yield from delete_steps(source.meta)


def _answers(snapshot: Snapshot) -> bool:
    """Whether pool and endpoint picker of the new chart are there and run, as far as that shows before a route leads to them."""
    pool, picker = snapshot.pool, snapshot.endpoint_picker
    is_there = pool is not None and not pool.meta.deleting
    return snapshot.has_chart and is_there and picker is not None and picker.has_leader


def _is_told_ready(workspace: WorkspaceRecord, pool: str) -> bool:
    """Whether the status says of the newest spec that the model is reached through `pool`."""
    status = workspace.status
    ready = find(status.conditions, ConditionType.GATEWAY_READY)
    is_ready = ready is not None and ready.is_true and ready.speaks_of(workspace.meta.generation)
    return is_ready and status.gateway is not None and status.gateway.pool == pool
