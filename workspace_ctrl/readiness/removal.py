"""What the removal of the gateway objects is waiting for."""

from workspace_ctrl.readiness.chart import uninstalling
from workspace_ctrl.records.snapshot import Snapshot


def removal_waits(snapshot: Snapshot, uid: str) -> str:
    """Return which gateway objects of the Workspace `uid` still exist, and what blocks their deletion; empty if all are gone."""
    records = (snapshot.route, snapshot.release, *snapshot.former.releases)
    waits = [str(record.meta.ref) for record in records if record is not None and record.meta.is_controlled_by(uid)]
    left = snapshot.remaining_parts()
    if left and not waits:
        return f"waiting for the deletion of {', '.join(left)}, which Flux left behind when it uninstalled the chart"
    if not waits:
        return ""
    release, words = snapshot.release, f"waiting for the deletion of {' and '.join(waits)}"
    if release is None or snapshot.route is not None or not release.meta.deleting:
        return words
    return ": ".join(filter(None, (words, uninstalling(release, snapshot.ages.release))))
