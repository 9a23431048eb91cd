"""Taking the gateway side away in an order in which no request is lost and nothing is left behind.

The route goes first, so that traffic stops; then the HelmRelease, until Flux has uninstalled the chart; then what Flux has left behind,
which it does where the ServiceAccount that it works as is gone; then the OCIRepository, and our finalizer. Each pass takes the next step
and returns; the deletion of the object before brings the Workspace back.
"""

from collections.abc import Iterator

from workspace_ctrl.planning.steps import Delete, Resume, SetFinalizer, Step, Sweep
from workspace_ctrl.records.flux import HelmRelease
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


def removal_steps(workspace: WorkspaceRecord, snapshot: Snapshot) -> tuple[Step, ...]:
    """Return the next steps of removing the gateway objects of `workspace`."""
    uid, route, former = workspace.meta.uid, snapshot.route, snapshot.former
    if route is not None and route.meta.is_controlled_by(uid):
        return tuple(delete_steps(route.meta))
    releases = [each for each in (snapshot.release, *former.releases) if each is not None and each.meta.is_controlled_by(uid)]
    if releases:
        return tuple(step for release in releases for step in uninstall_steps(release))
    left = snapshot.remaining_parts()
    if left:
        return (Sweep(workspace.meta.ref, left),)
    sources = [each.meta for each in (snapshot.source, *former.sources) if each is not None and each.meta.is_controlled_by(uid)]
    # The API server collects the rest by owner once the Workspace itself is gone.
    steps = () if workspace.meta.deleting else tuple(step for source in sources for step in delete_steps(source))
    return (*steps, SetFinalizer(present=False)) if workspace.has_finalizer else steps


def uninstall_steps(release: HelmRelease) -> Iterator[Step]:
    """Yield the next steps of having Flux uninstall a release."""
    if release.suspended:
        yield Resume(release.ref)
    yield from delete_steps(release.meta)


def delete_steps(meta: Meta) -> Iterator[Step]:
    """Yield the deletion of an object, unless that has begun."""
    if not meta.deleting:
        yield Delete(meta.ref, meta.uid)
