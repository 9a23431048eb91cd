"""When to request a reconciliation of a HelmRelease: one of its objects was deleted or edited.

Flux itself corrects drift every 30 minutes. No request is made while Flux reconciles, or has not handled the last request yet; drift that
remains after that is detected again.
"""

import re
from typing import Final

from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.planning.steps import RequestReconcile
from workspace_ctrl.records.meta import ObjectRef

_FOREIGN_RULE: Final = re.compile(r'DestinationRule "([^"]{1,253})" in namespace "([^"]{1,63})" exists and cannot be imported')
"""In Helm's error message."""


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


def take_over_step(chart: ChartObjects, owner_uid: str, picker: str) -> RequestReconcile | None:
    """Return the step that has Helm take over the user's DestinationRule for the endpoint picker, if the installation fails because of it.

    KAITO's quickstart has its users create that rule by hand, in the name and namespace of the chart's, and to the same effect. Whether
    they do so before or after the Workspace must not matter. Objects of any other kind or name are left alone.
    """
    release = chart.release
    if release is None or release.failure is None or not release.meta.is_controlled_by(owner_uid):
        return None
    found = _FOREIGN_RULE.search(release.failure.message)
    if found is None or found.groups() != (picker, release.ref.namespace):
        return None
    rule = ObjectRef("DestinationRule", release.ref.namespace, picker)
    return RequestReconcile(release.ref, release.meta.uid, f"{rule} exists already; taking it over into the release", rule)


def _missing(chart: ChartObjects) -> tuple[str, ...]:
    """Return the kinds of the deleted objects; without an inventory from Flux, only the two kinds that every chart has are checked."""
    release = chart.release
    if release is not None and release.inventory:
        return chart.missing()
    expected = {"Deployment": chart.endpoint_picker, "InferencePool": chart.pool}
    return tuple(kind for kind, record in expected.items() if record is None)
