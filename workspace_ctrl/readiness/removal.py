"""What the removal of the gateway objects is waiting for."""

from collections.abc import Sequence

from workspace_ctrl.readiness.chart import Installation, uninstalling
from workspace_ctrl.records.flux import HelmRelease
from workspace_ctrl.records.gateways import HTTPRoute


def removal_waits(
    uid: str, route: HTTPRoute | None, chart: Installation, former: Sequence[HelmRelease], left: Sequence[str]
) -> str:
    """Return which gateway objects of the Workspace `uid` still exist, and what blocks their deletion; empty if all are gone.

    `former` are the releases of its earlier charts, `left` the kinds of objects that Flux left behind.
    """
    release = chart.release
    records = (route, release, *former)
    waits = [str(record.meta.ref) for record in records if record is not None and record.meta.is_controlled_by(uid)]
    if left and not waits:
        return f"waiting for the deletion of {', '.join(left)}, which Flux left behind when it uninstalled the chart"
    if not waits:
        return ""
    words = f"waiting for the deletion of {' and '.join(waits)}"
    if release is None or route is not None or not release.meta.deleting:
        return words
    return ": ".join(filter(None, (words, uninstalling(release, chart.age))))
