"""The endpoint picker's Deployment, and the other objects of the chart that must exist.

Neither the HelmRelease nor any status of Gateway, route or pool shows that the endpoint picker is down. So its Deployment is watched, and
if that is not ready, the message quotes the reasons of its pods.
"""

from collections.abc import Iterable
from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.chart import Installation, missing_object
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.workloads import Workload

_NEEDED: Final = frozenset({"Service", "DestinationRule"})
"""Kinds without which the Gateway cannot reach a running endpoint picker. Other missing objects show when its next pod fails to start."""


def endpoint_picker_link(
    picker: Workload | None, unhealthy: Iterable[Pod], chart: Installation, missing_kinds: Iterable[str], expected: str
) -> Link:
    """Return whether the endpoint picker runs and the objects that it needs exist.

    `unhealthy` are its pods that have a problem, `missing_kinds` the kinds of the chart's installed objects that do not exist, and
    `expected` is its Deployment, as kind and name.
    """
    name = LinkName.ENDPOINT_PICKER
    if picker is None:
        return missing_object(name, chart, "EndpointPickerNotFound", expected)
    if picker.replicas == 0:
        scale = f"kubectl scale deployment {picker.ref.name} -n {picker.ref.namespace} --replicas=1"
        return Link.broken(name, "EndpointPickerScaledToZero", f"{picker.ref} is scaled to 0; scale it up: {scale}")
    if not picker.has_leader:
        return _not_ready(name, picker, unhealthy)
    gone = _NEEDED.intersection(missing_kinds)
    if gone:
        return missing_object(name, chart, "ChartObjectsMissing", f"{' and '.join(sorted(gone))} of the endpoint picker")
    return Link.true(name, "EndpointPickerRunning", f"{picker.ref} has {picker.ready_replicas} of {picker.replicas} replicas ready")


def _not_ready(name: LinkName, picker: Workload, unhealthy: Iterable[Pod]) -> Link:
    for pod in unhealthy:
        if pod.problem is not None:
            return Link.broken(name, pod.problem.reason, f"{pod.meta.ref} of the endpoint picker: {pod.problem.message}")
    for type_, bad in (("ReplicaFailure", Status.TRUE), ("Progressing", Status.FALSE)):
        condition = picker.condition(type_)
        if condition is not None and condition.status == bad:
            return Link.broken(name, condition.reason, f"{picker.ref}: {condition.message}")
    counts = f"{picker.ready_replicas} of {picker.replicas} replicas ready"
    return Link.waiting(name, "EndpointPickerStarting", f"{picker.ref}: {counts}")
