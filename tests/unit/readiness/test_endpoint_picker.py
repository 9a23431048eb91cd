"""The endpoint picker says why it does not run, and what of its chart is gone."""

import pytest

from tests.unit.factories import condition, decisions, picker, pod, release, source
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.endpoint_picker import endpoint_picker_link
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.parts import part_id
from workspace_ctrl.records.pods import Trouble
from workspace_ctrl.records.snapshot import Snapshot

POD = pod(name="phi-epp-1", ready=False, trouble=Trouble("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."))
KINDS = {"Service": "phi-epp", "Role": "phi-epp-sa", "ConfigMap": "phi-epp", "DestinationRule": "phi-epp"}
INVENTORY = b"".join(part_id(kind, name) for kind, name in KINDS.items())


def link(gone=(), **fields):
    parts = {part_id(kind, name): 1 for kind, name in KINDS.items() if kind not in gone}
    world = {"source": source(), "release": release(inventory=INVENTORY), "parts": parts, "part_kinds": frozenset(KINDS)}
    return endpoint_picker_link(decisions(), Snapshot(**{"endpoint_picker": picker(), **world, **fields}))


def test_the_pods_reason_comes_before_the_deployment_s():
    stuck = picker(ready=0, conditions=(condition("Progressing", "False", "ProgressDeadlineExceeded"),))
    found = link(endpoint_picker=stuck, picker_pods=(POD,))
    assert (found.status, found.reason) == (Status.FALSE, "Unschedulable")
    assert found.message == "Pod default/phi-epp-1 of the endpoint picker: 0/1 nodes are available: 1 Insufficient cpu."


def test_a_pod_in_trouble_beside_enough_ready_ones_breaks_nothing():
    assert link(picker_pods=(POD,)).holds


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


def test_a_flux_that_does_not_answer_is_named():
    asked = release(inventory=INVENTORY, requested=True)
    found = link(("Service",), release=asked, ages=StageAges(release=60))
    assert "helm-controller has not reconciled it for over a minute" in found.message


def test_objects_are_not_missed_before_they_were_made():
    assert link(("Service",), release=release(inventory=INVENTORY, generation=2)).holds


def test_the_pool_is_missed_elsewhere():
    pool = part_id("InferencePool", "phi")
    assert link(release=release(inventory=INVENTORY + pool), part_kinds=frozenset({*KINDS, "InferencePool"})).holds
