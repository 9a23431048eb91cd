"""What the condition Autoscaling says of KEDA, and what holds while no copy is ready."""

import pytest

from tests.unit.factories import NAME, NAMESPACE, NOW, condition, meta
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.api.status import AutoscalingStatus
from workspace_ctrl.model.cold_start import NO_COLD_START, ColdStart
from workspace_ctrl.model.plan_decisions import Scaling
from workspace_ctrl.readiness.scaling.autoscaling import autoscaling_link, wakes
from workspace_ctrl.readiness.scaling.autoscaling_status import autoscaling_status
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.scaling import ScaledObject

REF = ObjectRef("ScaledObject", NAMESPACE, NAME)
SCALING = Scaling(REF, 0, 4, held_seconds=900, shortest_hold=1000)
TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN


def scaled(*conditions):
    return ScaledObject(meta("ScaledObject"), conditions)


def ready(status="True", reason="ScaledObjectReady", message="ready"):
    return condition("Ready", status, reason, message, None)


@pytest.mark.parametrize(
    ("record", "scaling", "status", "reason", "words"),
    [
        pytest.param(None, SCALING, UNKNOWN, "ScaledObjectNotCreated", "has not been created yet", id="not created yet"),
        pytest.param(scaled(), SCALING, UNKNOWN, "WaitingForKEDA", "check that keda-operator runs", id="no KEDA runs"),
        pytest.param(
            scaled(condition("Ready", "Unknown", "", "", None)),
            SCALING,
            UNKNOWN,
            "WaitingForKEDA",
            "keda-operator",
            id="not seen yet",
        ),
        pytest.param(scaled(ready()), SCALING, TRUE, "Scaled", "from 0 to 4 replicas", id="scaled"),
        pytest.param(
            scaled(ready("False", "TriggerError", "Triggers are not working")),
            SCALING,
            FALSE,
            "LoadNotReadable",
            "so the replicas stay as they are: Triggers are not working; check that the endpoint picker runs",
            id="the load is not readable",
        ),
        pytest.param(
            scaled(ready("Unknown", "PartialTriggerError", "Some triggers")),
            SCALING,
            FALSE,
            "LoadNotReadable",
            "Some",
            id="a part of it",
        ),
        pytest.param(
            scaled(ready("False", "ErrorScalingTarget", "forbidden")),
            SCALING,
            FALSE,
            "ErrorScalingTarget",
            "forbidden",
            id="KEDA's words",
        ),
        pytest.param(
            scaled(ready("False", "", "no scaler")), SCALING, FALSE, "ScaledObjectNotReady", "no scaler", id="without a reason"
        ),
        pytest.param(
            scaled(ready(), condition("Paused", generation=None)),
            SCALING,
            FALSE,
            "AutoscalingPaused",
            "remove its annotations",
            id="paused",
        ),
        pytest.param(
            scaled(ready()),
            Scaling(REF, 1, 4, unheld="kthena-router does not hold requests"),
            TRUE,
            "ScaledWithoutZero",
            "the last one stays, although minReplicas is 0: kthena-router does not hold requests",
            id="no zero behind this class",
        ),
        pytest.param(
            scaled(ready()),
            Scaling(REF, 0, 4, held_seconds=900, shortest_hold=300),
            TRUE,
            "Scaled",
            "the Gateway waits only 300 s for a start",
            id="a Gateway with less patience",
        ),
    ],
)
def test_the_condition(record, scaling, status, reason, words):
    link = autoscaling_link(record, scaling)
    assert (link.status, link.reason) == (status, reason)
    assert words in link.message


def test_a_keda_that_asks_no_more_is_told():
    assert autoscaling_link(scaled(ready()), SCALING, 119.0).reason == "Scaled"
    link = autoscaling_link(scaled(ready()), SCALING, 121.0)
    assert (link.status, link.reason) == (FALSE, "KEDASilent")
    assert "check that keda-operator runs" in link.message


@pytest.mark.parametrize(
    ("scaling", "wanted", "cold_start", "words"),
    [
        pytest.param(SCALING, 0, NO_COLD_START, "requests are held for up to 900 s", id="at zero"),
        pytest.param(
            Scaling(REF, 0, 4, held_seconds=900), 0, NO_COLD_START, "held for up to 900 s", id="behind a Gateway without a limit"
        ),
        pytest.param(
            Scaling(REF, 0, 4, held_seconds=900, shortest_hold=300),
            0,
            NO_COLD_START,
            "held for up to 300 s",
            id="with a shorter one",
        ),
        pytest.param(SCALING, 0, ColdStart(0.0, took=41.2), "the last start took 41 s", id="with the last start"),
        pytest.param(SCALING, 1, ColdStart(12.0), "the first copy starts", id="under way"),
        pytest.param(SCALING, 1, ColdStart(0.0), "the first copy starts", id="before the workload is scaled"),
    ],
)
def test_requests_are_held(scaling, wanted, cold_start, words):
    assert words in wakes(scaling, wanted, cold_start)


@pytest.mark.parametrize(
    ("scaling", "wanted", "cold_start"),
    [
        pytest.param(None, 0, NO_COLD_START, id="not scaled by load"),
        pytest.param(Scaling(REF, 1, 4), 0, NO_COLD_START, id="scaled to zero by a user, although one is the fewest"),
        pytest.param(SCALING, 1, NO_COLD_START, id="the only copy is not ready, and did not start from zero"),
        pytest.param(SCALING, 1, ColdStart(900.0), id="the start takes longer than requests are held"),
        pytest.param(Scaling(REF, 0, 4, held_seconds=900, shortest_hold=300), 1, ColdStart(301.0), id="and than the Gateway waits"),
    ],
)
def test_requests_are_not_held(scaling, wanted, cold_start):
    assert wakes(scaling, wanted, cold_start) == ""


def test_a_start_is_written_down_once_and_kept():
    first = autoscaling_status(SCALING, scaled(), ColdStart(took=41.4, ended_ago=3.0), None, NOW)
    assert (first.cold_start_seconds, first.cold_start_time) == (41, "2026-11-21T11:59:57Z")
    assert autoscaling_status(SCALING, scaled(), ColdStart(took=41.4, ended_ago=4.2), first, NOW) == first
    assert autoscaling_status(SCALING, scaled(), NO_COLD_START, first, NOW) == first
    assert autoscaling_status(SCALING, scaled(), ColdStart(took=9.0, ended_ago=60.0), first, NOW).cold_start_seconds == 9


def test_what_is_there_of_the_two_is_told():
    wanted = autoscaling_status(SCALING, None, NO_COLD_START, None, NOW)
    assert (wanted.scaled_object, wanted.min_replicas, wanted.max_replicas) == (None, 0, 4)
    left = autoscaling_status(None, scaled(), NO_COLD_START, None, NOW)
    assert (left.scaled_object, left.min_replicas, left.max_replicas) == (NAME, None, None)


def test_nothing_is_said_of_a_set_that_is_not_scaled():
    assert autoscaling_status(None, None, NO_COLD_START, AutoscalingStatus("x"), NOW) is None
