"""Taking the gateway side away in an order in which no request is lost and nothing is left behind.

The route goes first, so that traffic stops; then the HelmRelease, until Flux has uninstalled the chart; then what Flux has left behind,
which it does where the ServiceAccount that it works as is gone; then the OCIRepository, and our finalizer. Each pass takes the next step
and returns; the deletion of the object before brings the Workspace back.
"""

from collections.abc import Iterator

from workspace_ctrl.planning.steps import Delete, Resume, SetFinalizer, Step, Sweep
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


def removal_steps(workspace: WorkspaceRecord, snapshot: Snapshot) -> tuple[Step, ...]:
    """Return the next steps of removing the gateway objects of `workspace`."""
    uid = workspace.meta.uid
    route, release, source = (
        record.meta if record is not None and record.meta.is_controlled_by(uid) else None
        for record in (snapshot.route, snapshot.release, snapshot.source)
    )
    if route is not None:
        return tuple(_delete(route))
    if release is not None:
        suspended = snapshot.release is not None and snapshot.release.suspended
        return (*([Resume(release.ref)] if suspended else []), *_delete(release))
    left = snapshot.remaining_parts()
    if left:
        return (Sweep(workspace.meta.ref, left),)
    # The API server collects the rest by owner once the Workspace itself is gone.
    steps = () if source is None or workspace.meta.deleting else tuple(_delete(source))
    return (*steps, SetFinalizer(present=False)) if workspace.has_finalizer else steps


def _delete(meta: Meta) -> Iterator[Step]:
    if not meta.deleting:
        yield Delete(meta.ref, meta.uid)
