"""The endpoint picker's Deployment, and other objects of the chart that must be there.

Neither the HelmRelease nor any status of gateway, route or pool shows a dead endpoint picker, so its Deployment is watched, and where that
is not ready, the pods' own reasons are told.
"""

from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.chart import silence
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.snapshot import Snapshot

_NEEDED: Final = frozenset({"Service", "DestinationRule"})
"""Kinds without which the Gateway does not reach an endpoint picker that runs; what else is gone shows itself when its pod is made anew."""


def endpoint_picker_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the endpoint picker runs, and has all that it runs with."""
    name = LinkName.ENDPOINT_PICKER
    picker = snapshot.endpoint_picker
    if picker is None:
        expected = f"Deployment {decisions.names.endpoint_picker}" if decisions.names else "its Deployment"
        return missing(name, snapshot, "EndpointPickerNotFound", expected)
    if picker.replicas == 0:
        return Link.broken(name, "EndpointPickerScaledToZero", f"{picker.ref} is scaled to 0, so nothing picks endpoints")
    if not picker.has_leader:
        return _not_ready(name, snapshot)
    gone = _NEEDED.intersection(snapshot.missing_parts()) if snapshot.has_chart else ()
    if gone:
        return missing(name, snapshot, "ChartObjectsMissing", f"{' and '.join(sorted(gone))} of the endpoint picker")
    return Link.true(name, "EndpointPickerRunning", f"{picker.ref} has {picker.ready_replicas} replicas ready")


def missing(name: LinkName, snapshot: Snapshot, reason: str, expected: str) -> Link:
    """Return the link of a chart object that is not there: being installed, or deleted after it was."""
    if not snapshot.has_chart or snapshot.release is None:
        return Link.waiting(name, reason, f"{expected} is not there yet")
    silent = silence(snapshot)
    what_next = silent or "Flux is asked to bring it back"
    return Link.broken(name, reason, f"{expected} is not there, although {snapshot.release.ref} has made it; {what_next}")


def _not_ready(name: LinkName, snapshot: Snapshot) -> Link:
    picker = snapshot.endpoint_picker
    assert picker is not None  # noqa: S101 - the caller has looked
    for pod in snapshot.picker_pods:
        if pod.trouble is not None:
            return Link.broken(name, pod.trouble.reason, f"{pod.meta.ref} of the endpoint picker: {pod.trouble.message}")
    for type_, bad in (("ReplicaFailure", Status.TRUE), ("Progressing", Status.FALSE)):
        condition = picker.condition(type_)
        if condition is not None and condition.status == bad:
            return Link.broken(name, condition.reason, f"{picker.ref}: {condition.message}")
    counts = f"{picker.ready_replicas} of {picker.replicas} replicas ready"
    return Link.waiting(name, "EndpointPickerStarting", f"{picker.ref}: {counts}")
