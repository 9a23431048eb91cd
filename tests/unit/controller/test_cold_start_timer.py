"""How long the first copy of an InferenceSet takes to start from zero, by the event loop's clock."""

from dataclasses import replace

import pytest

from tests.unit.factories import condition, deployment, meta, pod
from workspace_ctrl.api.status import AutoscalingStatus, InferenceSetStatus
from workspace_ctrl.controller.passes.cold_start_timer import NO_TIMER
from workspace_ctrl.model.cold_start import NO_COLD_START, ColdStart
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.records.scaling import ScaledObject

SCALED = Snapshot(scaled_object=ScaledObject(meta("ScaledObject")))
ZERO = replace(SCALED, workloads=(deployment(ready=0, replicas=0),))
STARTING = replace(SCALED, workloads=(deployment(ready=0, replicas=1),), pods=(pod(ready=False),))
READY = replace(SCALED, workloads=(deployment(ready=1, replicas=1),), pods=(pod(),))
FRESH = InferenceSetStatus()


def observed(*steps, status=FRESH):
    """The timer after snapshots, each at a time."""
    timer = NO_TIMER
    for moment, snapshot in steps:
        timer = timer.observe(snapshot, status, moment)
    return timer


def test_from_the_scaling_to_the_first_ready_pod():
    timer = observed((10, ZERO), (20, STARTING), (50, STARTING), (61, READY))
    assert timer.at(61) == ColdStart(None, took=41, ended_ago=0)
    assert timer.at(70).is_recent
    assert not timer.at(100).is_recent


def test_it_is_under_way_from_when_a_copy_is_wanted():
    assert observed((10, ZERO)).at(15) == ColdStart(0.0)
    assert observed((10, ZERO), (20, STARTING)).at(50) == ColdStart(30)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(((10, STARTING), (50, READY)), id="a new set"),
        pytest.param(((10, READY), (20, STARTING), (50, READY)), id="its only copy was not ready for a while"),
    ],
)
def test_no_other_start_is_measured(steps):
    assert observed(*steps).at(50) == ColdStart()


def test_a_set_without_a_scaled_object_is_not_measured():
    assert observed((10, replace(ZERO, scaled_object=None))).at(10) == NO_COLD_START


def test_the_next_start_replaces_the_last_one():
    timer = observed((0, ZERO), (10, STARTING), (20, READY), (30, ZERO), (40, STARTING), (43, READY))
    assert timer.at(43).took == 3


def test_a_later_process_goes_on_from_the_status():
    held = condition("EndpointsReady", reason="StartingFromZero")
    status = InferenceSetStatus(conditions=(held,), autoscaling=AutoscalingStatus(cold_start_seconds=41))
    assert observed((10, STARTING), (15, STARTING), status=status).at(15) == ColdStart(5, took=41)
    assert observed((10, READY), status=status).at(10) == ColdStart(None, took=41)


def test_a_model_that_loads_silently_is_looked_at_again():
    assert observed((10, ZERO), (20, STARTING)).due_at == 35
    assert observed((10, ZERO), (20, STARTING), (30, READY)).due_at == 60  # KEDA may have ended
    assert observed((10, replace(ZERO, scaled_object=None))).due_at is None
