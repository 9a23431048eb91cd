"""Figures of the benchmark from times and calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.bench import statistics
from e2e.bench.statistics import Call, Spread


def call(verb="patch", resource="deployments", name="phi", *, dry_run=False, code=200, at=1.0, namespace="a"):
    return Call(verb, resource, namespace, name, dry_run, code, at)


def test_spread_of_a_hundred_values():
    assert statistics.spread(range(1, 101)) == Spread(50, 95, 100)


def test_there_is_no_spread_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        statistics.percentile([], 50)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values_and_enough_lie_below(values, percent):
    ordered = sorted(values)
    found = statistics.percentile(ordered, percent)
    assert found in ordered
    assert 100 * sum(value <= found for value in ordered) >= percent * len(ordered) * (1 - 1e-9)


def test_an_audit_event_becomes_a_call():
    event = {
        "verb": "patch",
        "requestURI": "/apis/apps/v1/namespaces/a/deployments/phi?dryRun=All&fieldManager=x",
        "objectRef": {"resource": "deployments", "namespace": "a", "name": "phi"},
        "responseStatus": {"code": 201},
        "stageTimestamp": "1970-01-01T00:00:02.500000Z",
    }
    parsed = statistics.parse_call(event)
    assert parsed == call(dry_run=True, code=201, at=2.5)
    assert parsed.title == "patch deployments (dry-run)"
    status = {**event, "objectRef": {"resource": "workspaces", "subresource": "status", "namespace": "a", "name": "phi"}}
    assert statistics.parse_call(status).resource == "workspaces/status"
    path = {key: value for key, value in event.items() if key != "objectRef"} | {"requestURI": "/apis?timeout=1s"}
    assert statistics.parse_call(path).resource == "/apis"


def test_a_workspace_is_created_by_the_call_that_was_answered_with_created():
    calls = [call(resource="workspaces", code=201, at=1.0), call(resource="workspaces", code=200, at=5.0)]
    assert statistics.created(calls) == {("a", "phi"): 1.0}


def test_the_first_wave_ends_with_its_last_object():
    wave = [
        call(dry_run=True, at=9.0),
        call(at=2.0),
        call(resource="services", at=3.0),
        call(resource="ocirepositories", name="phi-inferencepool", at=4.0),
        call(at=8.0),
    ]
    assert statistics.first_wave([("a", "phi"), ("a", "other")], wave) == {("a", "phi"): 4.0}


def test_watches_and_leases_are_not_counted():
    calls = [call(), call(), call(resource="services"), call("watch"), call("update", "leases")]
    assert statistics.counted(calls) == {"patch deployments": 2, "patch services": 1}
    assert statistics.per_workspace(calls, 2) == {"patch deployments": 1.0, "patch services": 0.5}


def test_calls_summed_by_verb():
    assert statistics.by_verb({"patch deployments": 1.0, "patch services": 0.5, "list pods": 2}) == {"patch": 1.5, "list": 2}


def test_a_quantile_of_a_histogram_is_the_bound_above_it():
    buckets = {0.01: 90.0, 0.1: 99.0, float("inf"): 100.0}
    assert statistics.bucket_quantile(buckets, 0.99) == 0.1
    assert statistics.bucket_quantile(buckets, 0.5) == 0.01
    assert statistics.bucket_quantile({}, 0.5) is None
    assert statistics.bucket_quantile({0.1: 0.0}, 0.5) is None
