"""When to request a reconciliation of a HelmRelease: one of its objects was deleted or edited.

Flux itself corrects drift every 30 minutes. No request is made while Flux reconciles, or has not handled the last request yet; drift that
remains after that is detected again.
"""

from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.planning.steps import RequestReconcile


def repair_step(chart: ChartObjects, owner_uid: str) -> RequestReconcile | None:
    """Return the reconciliation request that is due for the release of the Workspace with `owner_uid`, or None."""
    release = chart.release
    if release is None or not release.meta.is_controlled_by(owner_uid):
        return None
    if not chart.is_installed or release.is_busy or release.requested:
        return None
    missing = _missing(chart)
    if missing:
        return RequestReconcile(release.ref, release.meta.uid, f"{', '.join(missing)} of the release was deleted")
    if chart.has_drifted:
        return RequestReconcile(release.ref, release.meta.uid, "an object of the release was edited")
    return None


def _missing(chart: ChartObjects) -> tuple[str, ...]:
    """Return the kinds of the deleted objects; without an inventory from Flux, only the two kinds that every chart has are checked."""
    release = chart.release
    if release is not None and release.inventory:
        return chart.missing()
    expected = {"Deployment": chart.endpoint_picker, "InferencePool": chart.pool}
    return tuple(kind for kind, record in expected.items() if record is None)
