"""The endpoint picker says why it does not run, and what of its chart is gone."""

import pytest

from tests.unit.factories import chain, condition, decisions, derived, picker, pod, release, source
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.chart import Installation
from workspace_ctrl.readiness.endpoint_picker import endpoint_picker_link
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.pods import PodProblem

POD = pod(name="phi-epp-1", ready=False, problem=PodProblem("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."))
KINDS = {"Service": "phi-epp", "Role": "phi-epp-sa", "ConfigMap": "phi-epp", "DestinationRule": "phi-epp"}
INVENTORY = b"".join(chart_object_id(kind, name) for kind, name in KINDS.items())


def link(gone=(), record=None, unhealthy=(), installed=None, age=0.0):
    chart = Installation(source(), installed or release(), age)
    return endpoint_picker_link(record or picker(), unhealthy, chart, gone, f"Deployment {derived().endpoint_picker}")


def link_of_chain(gone, installed):
    """The link of a snapshot in which the kinds `gone` of the release's inventory do not exist."""
    parts = {chart_object_id(kind, name): 1 for kind, name in KINDS.items() if kind not in gone}
    there = Snapshot(source=source(), release=installed, endpoint_picker=picker(), parts=parts, chart_object_kinds=frozenset(KINDS))
    (found,) = [link for link in chain(there, decisions()) if link.name is LinkName.ENDPOINT_PICKER]
    return found


def test_the_pods_reason_comes_before_the_deployment_s():
    stuck = picker(ready=0, conditions=(condition("Progressing", "False", "ProgressDeadlineExceeded"),))
    found = link(record=stuck, unhealthy=(POD,))
    assert (found.status, found.reason) == (Status.FALSE, "Unschedulable")
    assert found.message == "Pod default/phi-epp-1 of the endpoint picker: 0/1 nodes are available: 1 Insufficient cpu."


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        pytest.param((), Status.UNKNOWN, "EndpointPickerStarting", id="nothing is said"),
        pytest.param((condition("Progressing"),), Status.UNKNOWN, "EndpointPickerStarting", id="progressing"),
        pytest.param((condition("Progressing", "False", "Late"),), Status.FALSE, "Late", id="not progressing"),
        pytest.param(
            (condition("ReplicaFailure", reason="FailedCreate"),), Status.FALSE, "FailedCreate", id="no pod may be created"
        ),
        pytest.param(
            (condition("ReplicaFailure", "False"),), Status.UNKNOWN, "EndpointPickerStarting", id="pods may be created again"
        ),
    ],
)
def test_what_its_deployment_says_while_no_pod_is_ready(conditions, status, reason):
    found = link(record=picker(ready=0, conditions=conditions))
    assert (found.status, found.reason) == (status, reason)


def test_a_pod_with_a_problem_beside_enough_ready_ones_breaks_nothing():
    assert link(unhealthy=(POD,)).holds


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        pytest.param(("Service",), "Service of the endpoint picker not found", id="service"),
        pytest.param(("Service", "DestinationRule"), "DestinationRule and Service of the endpoint picker not found", id="both"),
    ],
)
def test_what_the_gateway_needs_to_reach_it_is_missed(gone, message):
    found = link(gone)
    assert (found.status, found.reason) == (Status.FALSE, "ChartObjectsMissing")
    assert found.message.startswith(message)
    assert found.message.endswith("; requested a reconciliation from Flux to restore it")


def test_what_only_a_new_pod_would_need_breaks_nothing():
    assert link(("Role", "ConfigMap")).holds


def test_nothing_is_said_to_be_requested_while_flux_is_at_work():
    at_work = release(conditions=(condition("Ready", reason="InstallSucceeded"), condition("Reconciling", reason="Progressing")))
    found = link(("Service",), installed=at_work)
    assert "requested" not in found.message
    assert "Flux is reconciling the release; if that does not end, check that helm-controller runs: kubectl" in found.message


def test_a_flux_that_does_not_answer_is_named():
    found = link(("Service",), installed=release(requested=True), age=60)
    assert "helm-controller has not reconciled it for over a minute" in found.message


def test_objects_are_not_missed_before_they_were_made():
    assert not link_of_chain({"Service"}, release(inventory=INVENTORY)).holds
    assert link_of_chain({"Service"}, release(inventory=INVENTORY, generation=2)).holds


def test_the_pool_is_missed_elsewhere():
    assert link(("InferencePool",)).holds
