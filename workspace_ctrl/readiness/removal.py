"""What a removal of the gateway side waits for."""

from workspace_ctrl.readiness.chart import uninstalling
from workspace_ctrl.records.snapshot import Snapshot


def removal_waits(snapshot: Snapshot, uid: str) -> str:
    """Return what the removal of the gateway objects of the Workspace `uid` waits for, and what keeps that; empty where all is gone."""
    records = (snapshot.route, snapshot.release, *snapshot.former.releases)
    waits = [str(record.meta.ref) for record in records if record is not None and record.meta.is_controlled_by(uid)]
    left = snapshot.remaining_parts()
    if left and not waits:
        return f"waits for {', '.join(left)} of the chart to go, which Flux has left behind"
    if not waits:
        return ""
    release, words = snapshot.release, f"waits for {' and '.join(waits)} to go"
    if release is None or snapshot.route is not None or not release.meta.deleting:
        return words
    return ": ".join(filter(None, (words, uninstalling(release, snapshot.ages.release))))
