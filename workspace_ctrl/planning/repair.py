"""When to request a reconciliation of a HelmRelease: one of its objects was deleted or edited.

Flux itself corrects drift every 30 minutes. No request is made while Flux reconciles, or has not handled the last request yet; drift that
remains after that is detected again.
"""

from workspace_ctrl.planning.steps import AskFlux
from workspace_ctrl.records.snapshot import Snapshot


def repair_step(snapshot: Snapshot, owner_uid: str) -> AskFlux | None:
    """Return the reconciliation request that is due for the release of the Workspace with `owner_uid`, or None."""
    release = snapshot.release
    if release is None or not release.meta.is_controlled_by(owner_uid):
        return None
    if not snapshot.has_chart or release.is_busy or release.requested:
        return None
    missing = _missing(snapshot)
    if missing:
        return AskFlux(release.ref, release.meta.uid, f"{', '.join(missing)} of the release was deleted")
    if snapshot.parts_edited:
        return AskFlux(release.ref, release.meta.uid, "an object of the release was edited")
    return None


def _missing(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the kinds of the deleted objects; without an inventory from Flux, only the two kinds that every chart has are checked."""
    release = snapshot.release
    if release is not None and release.inventory:
        return snapshot.missing_parts()
    expected = {"Deployment": snapshot.endpoint_picker, "InferencePool": snapshot.pool}
    return tuple(kind for kind, record in expected.items() if record is None)
