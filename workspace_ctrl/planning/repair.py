"""When Flux is asked to look at a release: one of the objects that it made is gone or was edited.

Flux itself looks every 30 minutes. It is not asked while it is at work, or has not answered yet: what is still wrong then is seen again
when it has.
"""

from workspace_ctrl.planning.steps import AskFlux
from workspace_ctrl.records.snapshot import Snapshot


def repair_step(snapshot: Snapshot, owner_uid: str) -> AskFlux | None:
    """Return the request to Flux that is due for the release of the Workspace with `owner_uid`, or None."""
    release = snapshot.release
    if release is None or not release.meta.is_controlled_by(owner_uid):
        return None
    if not snapshot.has_chart or release.is_busy or release.requested:
        return None
    missing = _missing(snapshot)
    if missing:
        return AskFlux(release.ref, release.meta.uid, f"{', '.join(missing)} of it is gone")
    if snapshot.parts_edited:
        return AskFlux(release.ref, release.meta.uid, "one of its objects was changed by somebody else")
    return None


def _missing(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the kinds of the objects that are gone; where Flux tells no inventory, of the two that every chart has."""
    release = snapshot.release
    if release is not None and release.inventory:
        return snapshot.missing_parts()
    expected = {"Deployment": snapshot.endpoint_picker, "InferencePool": snapshot.pool}
    return tuple(kind for kind, record in expected.items() if record is None)
