"""Pods that somebody else deploys: found, never written."""

from typing import Any

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, fetched_source, gateway, gateway_class, pool, quickstart, workspace
from workspace_ctrl.model.api_query_results import QueryResults, ScaleSelector
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.plan import Planned, plan
from workspace_ctrl.planning.steps import Apply, ReadScale
from workspace_ctrl.records.workloads import ReferencedWorkload, ServingPort, parse_referenced_workload

GATEWAY_SIDE = {"gateways": (gateway(),), "gateway_classes": (gateway_class(),), "source": fetched_source(), "pool": pool()}
NO_SELECTOR = QueryResults(scale=ScaleSelector("theirs"))
NAMED = {"kind": "Deployment", "name": "llama-cpp"}


def referenced(kind: str = "Deployment", **spec: Any) -> ReferencedWorkload:
    raw = {"metadata": {"name": "llama-cpp", "namespace": NAMESPACE, "uid": "theirs"}, "spec": spec}
    return parse_referenced_workload(raw, kind)


def with_pods(*ports: dict[str, Any], selector: dict[str, Any] | None = None) -> ReferencedWorkload:
    template = {"metadata": {"labels": {"app": "llama", "tier": "gpu"}}, "spec": {"containers": [{"ports": list(ports)}]}}
    return referenced(selector=selector or {"matchLabels": {"app": "llama"}}, template=template)


def planned(reference: dict[str, Any], found: ReferencedWorkload | None = None, **fields: Any) -> Planned:
    record = workspace(quickstart(resource=None, inference={"workloadRef": reference}))
    return plan(record, Snapshot(reference=found, **GATEWAY_SIDE, **fields), SETTINGS)


def pool_of(outcome: Planned) -> dict[str, Any]:
    release = next(step.manifest for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == "HelmRelease")
    values: dict[str, Any] = release["spec"]["values"]["inferencePool"]
    return {key: values[key] for key in ("modelServers", "targetPorts")}


def pool_values(labels: dict[str, str], port: int) -> dict[str, Any]:
    return {"modelServers": {"matchLabels": labels}, "targetPorts": [{"number": port}]}


def test_selector_and_port_come_from_the_object():
    outcome = planned(NAMED, with_pods({"containerPort": 9090, "name": "metrics"}, {"containerPort": 8000, "name": "http"}))
    assert pool_of(outcome) == pool_values({"app": "llama"}, 8000)
    assert outcome.desired.dependencies.pods == {"app": "llama"}


def test_a_selector_with_expressions_falls_back_on_the_labels_of_the_template():
    found = with_pods({"containerPort": 8000}, selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]})
    assert pool_of(planned(NAMED, found)) == pool_values({"app": "llama", "tier": "gpu"}, 8000)


def test_what_the_user_says_comes_first():
    reference = {**NAMED, "selector": {"role": "leader"}, "targetPort": 8080}
    assert pool_of(planned(reference, with_pods({"containerPort": 8000}))) == pool_values({"role": "leader"}, 8080)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            {}, ("so port 8200 of container server is used; set inference.workloadRef.targetPort", "has no readinessProbe"), id="-"
        ),
        pytest.param({"targetPort": 8200}, ("has no readinessProbe",), id="the same port"),
        pytest.param({"targetPort": 8000}, (), id="another port, whose container is not known"),
    ],
)
def test_a_guessed_port_and_a_missing_probe_are_notes(given, words):
    container = {"name": "server", "ports": [{"containerPort": 8200}, {"containerPort": 8000}]}
    found = referenced(selector={"matchLabels": {"app": "llama"}}, template={"spec": {"containers": [container]}})
    notes = planned({**NAMED, **given}, found).decisions.notes
    assert [text for text, part in zip(notes, words, strict=True) if part not in text] == []


def test_labels_alone_are_enough():
    reference = {"selector": {"app": "any"}, "targetPort": 8080}
    assert pool_of(planned(reference)) == pool_values({"app": "any"}, 8080)


def test_nothing_of_the_model_server_is_written():
    kinds = [step.manifest["kind"] for step in planned(NAMED, with_pods({"containerPort": 1})).steps if isinstance(step, Apply)]
    assert kinds == ["HelmRelease", "HTTPRoute"]


def test_an_object_without_a_selector_is_asked_for_its_scale():
    leader_worker_set = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "llama-cpp"}
    outcome = planned({**leader_worker_set, "targetPort": 8000}, referenced("LeaderWorkerSet"))
    (step,) = outcome.steps
    assert isinstance(step, ReadScale)
    assert step.uid == "theirs"


def test_the_scale_s_selector_is_the_pool_s():
    query_results = QueryResults(scale=ScaleSelector("theirs", {"worker-index": "0"}))
    outcome = planned({**NAMED, "targetPort": 8000}, referenced(), query_results=query_results)
    assert pool_of(outcome) == pool_values({"worker-index": "0"}, 8000)


@pytest.mark.parametrize(
    ("reference", "found", "fields", "reason"),
    [
        pytest.param(NAMED, None, {}, "WorkloadNotFound", id="not there"),
        pytest.param(NAMED, None, {"reference_problem": "forbidden"}, "WorkloadNotReadable", id="not readable"),
        pytest.param(NAMED, with_pods(), {}, "PortUnknown", id="no port"),
        pytest.param({**NAMED, "targetPort": 1}, referenced(), {"query_results": NO_SELECTOR}, "SelectorUnknown", id="no selector"),
    ],
)
def test_what_is_missing_is_said_and_waited_for(reference, found, fields, reason):
    (problem,) = planned(reference, found, **fields).decisions.problems
    assert problem.reason == reason
    assert not problem.terminal
    assert "llama-cpp" in problem.message


def test_an_object_of_any_shape_is_read():
    for spec in (
        {},
        {"template": 1, "selector": "x"},
        {"template": {"spec": {"containers": 1}}},
        {"selector": {"matchLabels": {"a": 1}}},
    ):
        found = referenced(**spec)
        assert (found.selector, found.port) == ({}, ServingPort())


def test_the_workspace_s_own_name_is_no_label_of_their_pods():
    assert NAME not in str(pool_of(planned(NAMED, with_pods({"containerPort": 1}))))
