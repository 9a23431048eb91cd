"""Removal of the gateway objects in an order in which no request is lost and no object is left behind.

First the route is deleted, so that traffic stops; then the HelmRelease, until Flux has uninstalled the chart; then any objects that Flux
has left behind, which happens if its ServiceAccount is gone; then the OCIRepository and our finalizer. Each pass does the next step and
returns; the deletion event of the object enqueues the Workspace again. Where the whole namespace is being deleted, nothing is waited for.
"""

from collections.abc import Iterable, Iterator

from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.planning.steps import Delete, Prune, Resume, SetFinalizer, Step
from workspace_ctrl.records.flux import HelmRelease
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.workspaces import WorkspaceRecord


def removal_steps(workspace: WorkspaceRecord, route: HTTPRoute | None, chart: ChartObjects) -> tuple[Step, ...]:
    """Return the next steps of removing the gateway objects of `workspace`; without a `route`, only those of its chart."""
    uid, former = workspace.meta.uid, chart.former
    if route is not None and route.meta.is_controlled_by(uid):
        return tuple(delete_steps(route.meta))
    releases = [each for each in (chart.release, *former.releases) if each is not None and each.meta.is_controlled_by(uid)]
    if releases:
        return tuple(step for release in releases for step in uninstall_steps(release))
    left = chart.remaining()
    if left:
        return (Prune(workspace.meta.ref, left),)
    sources = [each.meta for each in (chart.source, *former.sources) if each is not None and each.meta.is_controlled_by(uid)]
    # The rest is garbage-collected once the Workspace itself is gone.
    steps = () if workspace.meta.deleting else tuple(step for source in sources for step in delete_steps(source))
    return (*steps, SetFinalizer(present=False)) if workspace.has_finalizer else steps


def terminating_steps(
    workspace: WorkspaceRecord, route: HTTPRoute | None, chart: ChartObjects, workloads: Iterable[Meta]
) -> tuple[Step, ...]:
    """Return the steps for a Workspace whose namespace is being deleted: all at once, and the finalizer first.

    The namespace controller begins some 5 s after the deletion of the namespace to delete everything in it, in no order: our own Role, if
    the rights come from one, and the Secrets by which Helm knows what it has installed in the whole cluster. Where pods are left then, it
    looks again only after half of their grace period, so the `workloads` are deleted before.
    """
    uid = workspace.meta.uid
    steps: list[Step] = [SetFinalizer(present=False)] if workspace.has_finalizer else []
    if route is not None and route.meta.is_controlled_by(uid):
        steps += delete_steps(route.meta)
    for release in (chart.release, *chart.former.releases):
        if release is not None and release.meta.is_controlled_by(uid):
            steps += uninstall_steps(release)
    for workload in workloads:
        if workload.is_controlled_by(uid):
            steps += delete_steps(workload)
    return tuple(steps)


def uninstall_steps(release: HelmRelease) -> Iterator[Step]:
    """Yield the next steps to let Flux uninstall a release."""
    if release.suspended:
        yield Resume(release.ref)
    yield from delete_steps(release.meta)


def delete_steps(meta: Meta) -> Iterator[Step]:
    """Yield the deletion of an object, unless it is being deleted already."""
    if not meta.deleting:
        yield Delete(meta.ref, meta.uid)
