"""What is counted, by which labels."""

import asyncio
import json
import time

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.factories import NOW, quickstart, workspace
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.status import (
    AutoscalingStatus,
    CanaryStatus,
    GatewayStatus,
    GroupStatus,
    InferenceSetStatus,
    WorkloadStatus,
    WorkspaceStatus,
)
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.records.workspaces import parse_workspace_record
from workspace_ctrl.telemetry.metrics import NO_STATUS, OTHER, Metrics
from workspace_ctrl.telemetry.observer_interface import Drop, NullObserver, Observer, Result, StatusChange, status_change

PREFIX = "workspace_ctrl_"


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return Metrics(registry)


def status(**conditions):
    """A status with conditions given as "True Reason"."""
    entries = tuple(Condition(type_, *text.split(), "m", 1, "t") for type_, text in conditions.items())
    return WorkspaceStatus(observed_generation=1, conditions=entries)


def change(old, new, *, age=7.0, uid="uid", deleting=False):
    raw = quickstart(status=old.as_object())
    raw["metadata"]["uid"] = uid
    return StatusChange(workspace(raw, deleting=deleting), new, age)


def value(registry, name, **labels):
    return registry.get_sample_value(PREFIX + name, labels)


def test_nothing_that_counts_nothing_lacks_a_method(metrics):
    reports: list[Observer] = [metrics, NullObserver()]
    assert len(reports) == 2


def test_passes(registry, metrics):
    for result in (Result.SUCCESS, Result.SUCCESS, Result.ERROR, Result.PANIC):
        metrics.pass_ended(result, 0.02)
    assert value(registry, "reconcile_total", result="success") == 2
    assert value(registry, "reconcile_total", result="requeue_after") == 0
    assert value(registry, "workqueue_retries_total") == 2
    assert value(registry, "reconcile_time_seconds_count") == 4
    assert value(registry, "reconcile_time_seconds_bucket", le="0.025") == 4


def test_requests_watches_and_dropped_events(registry, metrics):
    metrics.requested("patch", "services", 409)
    metrics.watch_restarted("pods", "broken")
    metrics.event_dropped(Drop.QUEUE_FULL)
    assert value(registry, "api_requests_total", verb="patch", resource="services", code="409") == 1
    assert value(registry, "watch_restarts_total", resource="pods", cause="broken") == 1
    assert value(registry, "events_dropped_total", cause="queue_full") == 1


def test_each_stage_is_counted_once_from_the_first_status_on(registry, metrics):
    first = status(Ready="False X", WorkloadAccepted="True A")
    second = status(Ready="False X", WorkloadAccepted="True A", ChartReady="True C")
    ready = status(Ready="True R", WorkloadAccepted="True A", ChartReady="True C", InferenceReady="True I", GatewayReady="True G")
    for old, new, age in [(status(), first, 0.5), (first, second, 4), (second, first, 5), (first, second, 6), (second, ready, 50)]:
        metrics.status_written(change(old, new, age=age))
    metrics.status_written(change(ready, first, age=1000))
    metrics.status_written(change(first, ready, age=2000))
    counted = {
        stage: value(registry, "stage_seconds_sum", stage=stage) for stage in ("workload_accepted", "chart_ready", "gateway_ready")
    }
    assert counted == {"workload_accepted": 0.5, "chart_ready": 4, "gateway_ready": 50}
    assert value(registry, "stage_seconds_count", stage="inference_ready") == 1


def test_stages_of_a_workspace_whose_beginning_was_not_seen_are_not_counted(registry, metrics):
    metrics.status_written(change(status(Ready="False X"), status(Ready="True R", ChartReady="True C")))
    assert value(registry, "stage_seconds_count", stage="chart_ready") is None


@pytest.mark.parametrize(
    ("old", "new", "deleting", "flaps"),
    [
        pytest.param("True G", "False X", False, 1, id="lost"),
        pytest.param("True G", "Unknown X", False, 1, id="not known any more"),
        pytest.param("True G", "False Deleting", True, 0, id="deleted"),
        pytest.param("True G", "False ScaledToZero", False, 0, id="scaled to zero"),
        pytest.param("True G", "False Removing", False, 0, id="the gate goes off"),
        pytest.param("True G", "False NamespaceTerminating", False, 0, id="the namespace is deleted"),
        pytest.param("False X", "False Y", False, 0, id="never there"),
        pytest.param("True G", "True H", False, 0, id="still there"),
    ],
)
def test_flaps(registry, metrics, old, new, deleting, flaps):
    metrics.status_written(
        change(status(Ready="False X", GatewayReady=old), status(Ready="False X", GatewayReady=new), deleting=deleting)
    )
    assert value(registry, "gateway_ready_flaps_total") == flaps


def put(cache, name, made, version):
    raw = quickstart(metadata={"name": name, "namespace": "default", "uid": name})
    if made is not None:
        raw["status"] = json.loads(json.dumps(made.as_object()))
    cache.workspaces.put(("default", name), workspace(raw), version)


async def test_workspaces_and_queue_are_counted_when_somebody_asks(registry, metrics):
    cache, queue = Cache(), WorkQueue()
    assert value(registry, "workqueue_depth") is None
    metrics.started(queue, cache)
    put(cache, "a", status(Ready="True R", GatewayReady="True G"), 1)
    put(cache, "b", status(Ready="False Paused", GatewayReady="False Paused"), 2)
    put(cache, "c", None, 3)
    queue.add(("default", "a"))
    assert await asyncio.to_thread(value, registry, "workqueue_depth") == 1
    assert await asyncio.to_thread(value, registry, "workqueue_oldest_age_seconds") >= 0
    by_status = {state: value(registry, "workspaces", condition="Ready", status=state) for state in ("True", "False", "Unknown")}
    assert by_status == {"True": 1, "False": 1, "Unknown": 1}
    assert value(registry, "workspaces_not_ready", reason="Paused") == 1
    assert value(registry, "workspaces_not_ready", reason=NO_STATUS) == 1
    put(cache, "b", status(Ready="True R"), 4)
    assert value(registry, "workspaces", condition="Ready", status="True") == 2
    assert value(registry, "workspaces_not_ready", reason="Paused") is None
    metrics.stopped()
    assert value(registry, "workqueue_depth") is None


async def test_what_has_no_gateway_side_beside_kaito_is_not_counted_as_not_ready(registry, metrics):
    cache = Cache(companion=True)
    metrics.started(WorkQueue(), cache)
    put(cache, "a", None, 1)
    put(cache, "b", status(Ready="False ProbeFailed", GatewayReady="False ProbeFailed"), 2)
    (family,) = [family for family in registry.collect() if family.name == f"{PREFIX}workspaces_not_ready"]
    assert {sample.labels["reason"]: sample.value for sample in family.samples} == {"ProbeFailed": 1}
    assert value(registry, "workspaces", condition="Ready", status="Unknown") is None


async def test_the_number_of_reasons_is_limited_and_none_is_lost(registry, metrics):
    cache = Cache()
    metrics.started(WorkQueue(), cache)
    for number in range(70):
        put(cache, f"w-{number}", status(Ready=f"False Reason{number}"), number + 1)
    (family,) = [family for family in registry.collect() if family.name == f"{PREFIX}workspaces_not_ready"]
    assert len(family.samples) == 51
    assert sum(sample.value for sample in family.samples) == 70
    assert value(registry, "workspaces_not_ready", reason=OTHER) == 20


def test_no_metric_has_a_label_that_names_a_workspace(registry, metrics):
    metrics.status_written(change(status(), status(Ready="True R", GatewayReady="True G")))
    metrics.requested("get", "pods", 200)
    labels = {label for family in registry.collect() for sample in family.samples for label in sample.labels}
    assert labels <= {"verb", "resource", "code", "result", "stage", "cause", "le"}


async def test_a_busy_event_loop_shows(registry, metrics):
    """A loop that does something else for 0.3 s wakes a sleeper of 0.1 s at least 0.1 s too late."""
    task = asyncio.create_task(metrics.measure_lag())
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - to block the event loop is the matter of the test
    async with asyncio.timeout(10):
        while not value(registry, "event_loop_lag_seconds_count"):  # noqa: ASYNC110 - the metric is all there is to look at
            await asyncio.sleep(0)
    assert value(registry, "event_loop_lag_seconds_bucket", le="0.1") < value(registry, "event_loop_lag_seconds_count")
    task.cancel()


def test_the_age_is_counted_from_the_creation():
    answer = {"metadata": {"creationTimestamp": "2026-11-21T11:59:50Z"}}
    assert status_change(workspace(), status(), answer, NOW).age == 10
    later = {"metadata": {"creationTimestamp": "2026-11-21T12:00:01Z"}}
    assert status_change(workspace(), status(), later, NOW).age == 0


def scaled(seconds, ended):
    return InferenceSetStatus(autoscaling=AutoscalingStatus(cold_start_seconds=seconds, cold_start_time=ended))


def set_change(old, new):
    document = parse_workspace_record(
        {"metadata": {"name": "s", "namespace": "n", "uid": "u"}, "spec": {}, "status": old.as_object()}, "InferenceSet"
    )
    return StatusChange(document, new, 7.0)


def test_each_start_from_zero_is_counted_once(registry, metrics):
    first, second = scaled(41, "2026-11-21T12:00:00Z"), scaled(41, "2026-11-21T13:00:00Z")
    for old, new in ((InferenceSetStatus(), first), (first, first), (first, second), (second, InferenceSetStatus())):
        metrics.status_written(set_change(old, new))
    assert value(registry, "cold_start_seconds_count") == 2
    assert value(registry, "cold_start_seconds_sum") == 82


def test_requests_that_are_held_are_counted_on_every_replica(registry, metrics):
    assert value(registry, "held_requests") is None
    metrics.follow_held(lambda: 7.0)
    assert value(registry, "held_requests") == 7


async def test_copies_of_inference_sets(registry, metrics):
    cache = Cache()
    for number, (wanted, ready) in enumerate(((3, 2), (0, 0)), 1):
        told = InferenceSetStatus(workload=WorkloadStatus(replicas=wanted), ready_replicas=ready)
        document = {"metadata": {"name": f"s{number}", "namespace": "n", "uid": "u"}, "spec": {}, "status": told.as_object()}
        cache.inference_sets.put(("n", f"s{number}"), parse_workspace_record(document, "InferenceSet"), number)
    metrics.started(WorkQueue(), cache)
    assert value(registry, "inference_set_replicas", state="wanted") == 3
    assert value(registry, "inference_set_replicas", state="ready") == 2


def of_canary(phase, step=1):
    canary = CanaryStatus(revision="r", phase=phase, step=step)
    return WorkspaceStatus(gateway=GatewayStatus(group=GroupStatus("chat", canary=canary)))


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        pytest.param(WorkspaceStatus(), of_canary("Progressing"), "progressing", id="begun"),
        pytest.param(of_canary("Progressing"), of_canary("Progressing", 2), "progressing", id="next step"),
        pytest.param(of_canary("Progressing"), of_canary("Stopped"), "stopped", id="stopped"),
        pytest.param(of_canary("Progressing", 4), of_canary("Promoted", 4), "promoted", id="promoted"),
        pytest.param(of_canary("Stopped"), of_canary("Stopped"), None, id="nothing new"),
        pytest.param(of_canary("Stopped"), WorkspaceStatus(), None, id="no canary any more"),
    ],
)
def test_canaries(registry, metrics, old, new, result):
    results = ("progressing", "promoted", "stopped")
    assert {value(registry, "canary_transitions_total", result=each) for each in results} == {0}
    metrics.status_written(change(old, new))
    assert [each for each in results if value(registry, "canary_transitions_total", result=each)] == ([result] if result else [])
