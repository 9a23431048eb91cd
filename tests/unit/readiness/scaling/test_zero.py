"""At zero the status is true to requests: held, they are answered after a start of the model; not held, they are lost."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, NOW, condition, decisions, meta, pod, status
from tests.unit.readiness.test_chain import PROBED, READY
from tests.unit.readiness.test_inference_set import SET, record
from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.model.cold_start import ColdStart
from workspace_ctrl.model.plan_decisions import Scaling
from workspace_ctrl.readiness.chain import evaluate
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import PodProblem
from workspace_ctrl.records.scaling import ScaledObject

KEDA = condition("Ready", generation=None)
SCALED = ScaledObject(meta("ScaledObject"), (KEDA,))
PAUSED = ScaledObject(meta("ScaledObject"), (KEDA, condition("Paused", generation=None)))
FAILING = ScaledObject(meta("ScaledObject"), (condition("Ready", "False", "TriggerError", generation=None),))
HOLDING = Scaling(ObjectRef("ScaledObject", NAMESPACE, NAME), 0, 4, held_seconds=900, shortest_hold=1000)
AT_ZERO = ColdStart(0.0)
TYPES = (ConditionType.READY, ConditionType.GATEWAY_READY, ConditionType.ENDPOINTS_READY, ConditionType.INFERENCE_READY)


def world(*pods, cold_start=AT_ZERO, **fields):
    return replace(PROBED, pods=pods, workloads=(), probe=None, scaled_object=SCALED, cold_start=cold_start, **fields)


def of(snapshot, replicas, scaling=HOLDING):
    decided = decisions(inference_set=SET, replicas=replicas, scaling=scaling, selector=READY.pool.selector)
    return status(record(replicas=replicas), snapshot, decided, NOW), evaluate(snapshot, decided)


def conditions(found):
    return {type_: (entry.status, entry.reason) for type_ in TYPES if (entry := find(found.conditions, type_)) is not None}


def test_at_zero_requests_are_held_and_all_is_ready():
    found, report = of(world(cold_start=ColdStart(0.0, took=41.0)), 0)
    assert conditions(found) == {
        ConditionType.READY: ("True", "Ready"),
        ConditionType.GATEWAY_READY: ("True", "GatewayConfigured"),
        ConditionType.ENDPOINTS_READY: ("True", "ScaledToZero"),
        ConditionType.INFERENCE_READY: ("True", "ScaledToZero"),
    }
    message = find(found.conditions, ConditionType.GATEWAY_READY).message
    assert "requests are held for up to 900 s" in message
    assert "the last start took 41 s" in message
    assert report.probe_targets == ()  # it would start a copy


def ending(**fields):
    """A pod that is ready until it has ended."""
    made = pod(**fields)
    return replace(made, meta=replace(made.meta, deleting=True))


@pytest.mark.parametrize(("replicas", "pods"), [(0, (ending(),)), (1, (ending(name="old"), pod(ready=False)))])
def test_a_pod_that_ends_changes_nothing(replicas, pods):
    found, _ = of(world(*pods, cold_start=AT_ZERO), replicas)
    assert {state for state, _ in conditions(found).values()} == {"True"}


def test_while_the_first_copy_starts_they_are_held_as_well():
    found, report = of(world(pod(ready=False), cold_start=ColdStart(12.0)), 1)
    assert set(conditions(found).values()) == {("True", "Ready"), ("True", "GatewayConfigured"), ("True", "StartingFromZero")}
    assert report.probe_targets == ()


def test_once_it_is_ready_requests_are_sent_again_and_ready_does_not_wait_for_them():
    snapshot = world(pod(), cold_start=ColdStart(None, took=12.0, ended_ago=0.5))
    found, report = of(snapshot, 1)
    assert conditions(found)[ConditionType.GATEWAY_READY] == ("True", "GatewayConfigured")
    assert report.probe_targets != ()
    later, _ = of(replace(snapshot, cold_start=ColdStart(None, took=12.0, ended_ago=60.0)), 1)
    assert conditions(later)[ConditionType.GATEWAY_READY] == ("False", "ProbePending")


@pytest.mark.parametrize(
    ("snapshot", "replicas", "scaling", "reason"),
    [
        pytest.param(world(), 0, None, "ScaledToZero", id="nobody holds them"),
        pytest.param(world(), 0, Scaling(HOLDING.scaled_object, 1, 4), "ScaledToZero", id="scaled to zero by a user"),
        pytest.param(replace(world(), scaled_object=None), 0, HOLDING, "ScaledToZero", id="no KEDA"),
        pytest.param(replace(world(), scaled_object=PAUSED), 0, HOLDING, "ScaledToZero", id="KEDA is paused"),
        pytest.param(replace(world(), scaled_object=FAILING), 0, HOLDING, "ScaledToZero", id="KEDA cannot read the load"),
        pytest.param(replace(world(), load_unread_for=121.0), 0, HOLDING, "ScaledToZero", id="KEDA has ended"),
        pytest.param(world(pod(ready=False), cold_start=ColdStart(901.0)), 1, HOLDING, "NoReadyEndpoints", id="it takes too long"),
        pytest.param(
            world(pod(ready=False, problem=PodProblem("ImagePullError", "no such image")), cold_start=ColdStart(3.0)),
            1,
            HOLDING,
            "NoReadyEndpoints",
            id="it cannot start",
        ),
    ],
)
def test_where_they_would_be_lost_nothing_is_ready(snapshot, replicas, scaling, reason):
    found, _ = of(snapshot, replicas, scaling)
    assert conditions(found)[ConditionType.ENDPOINTS_READY] == ("False", reason)
    assert {state for type_, (state, _) in conditions(found).items() if type_ is not ConditionType.ENDPOINTS_READY} == {"False"}


def test_the_scaling_is_in_the_status():
    found, _ = of(world(cold_start=ColdStart(0.0, took=41.0)), 0)
    expected = {"scaledObject": NAME, "minReplicas": 0, "maxReplicas": 4, "coldStartSeconds": 41}
    assert found.as_object()["autoscaling"] == expected
