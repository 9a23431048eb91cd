"""The endpoint picker's Deployment, and the other objects of the chart that must exist.

Neither the HelmRelease nor any status of Gateway, route or pool shows that the endpoint picker is down. So its Deployment is watched, and
if that is not ready, the message quotes the reasons of its pods.
"""

from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.chart import silence
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.snapshot import Snapshot

_NEEDED: Final = frozenset({"Service", "DestinationRule"})
"""Kinds without which the Gateway cannot reach a running endpoint picker. Other missing objects show when its next pod fails to start."""


def endpoint_picker_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the endpoint picker runs and the objects that it needs exist."""
    name = LinkName.ENDPOINT_PICKER
    picker = snapshot.endpoint_picker
    if picker is None:
        expected = f"Deployment {decisions.names.endpoint_picker}" if decisions.names else "Deployment of the endpoint picker"
        return missing(name, snapshot, "EndpointPickerNotFound", expected)
    if picker.replicas == 0:
        scale = f"kubectl scale deployment {picker.ref.name} -n {picker.ref.namespace} --replicas=1"
        return Link.broken(name, "EndpointPickerScaledToZero", f"{picker.ref} is scaled to 0; scale it up: {scale}")
    if not picker.has_leader:
        return _not_ready(name, snapshot)
    gone = _NEEDED.intersection(snapshot.missing_parts()) if snapshot.has_chart else ()
    if gone:
        return missing(name, snapshot, "ChartObjectsMissing", f"{' and '.join(sorted(gone))} of the endpoint picker")
    return Link.true(name, "EndpointPickerRunning", f"{picker.ref} has {picker.ready_replicas} of {picker.replicas} replicas ready")


def missing(name: LinkName, snapshot: Snapshot, reason: str, expected: str) -> Link:
    """Return the link of a chart object that does not exist: not installed yet, or deleted after the installation."""
    if not snapshot.has_chart or snapshot.release is None:
        return Link.waiting(name, reason, f"{expected} has not been created yet")
    silent = silence(snapshot)
    what_next = silent or "requested a reconciliation from Flux to restore it"
    return Link.broken(name, reason, f"{expected} not found, although {snapshot.release.ref} has installed it; {what_next}")


def _not_ready(name: LinkName, snapshot: Snapshot) -> Link:
    picker = snapshot.endpoint_picker
    assert picker is not None  # noqa: S101 - checked by the caller
    for pod in snapshot.picker_pods:
        if pod.trouble is not None:
            return Link.broken(name, pod.trouble.reason, f"{pod.meta.ref} of the endpoint picker: {pod.trouble.message}")
    for type_, bad in (("ReplicaFailure", Status.TRUE), ("Progressing", Status.FALSE)):
        condition = picker.condition(type_)
        if condition is not None and condition.status == bad:
            return Link.broken(name, condition.reason, f"{picker.ref}: {condition.message}")
    counts = f"{picker.ready_replicas} of {picker.replicas} replicas ready"
    return Link.waiting(name, "EndpointPickerStarting", f"{picker.ref}: {counts}")
