"""Reading objects: what a record takes from them, and that half-made ones do not break it."""

from typing import Any

import pytest

from tests.unit.factories import quickstart
from workspace_ctrl.api.conditions import parse_brief_conditions
from workspace_ctrl.api.labels import GATEWAY_LABELS
from workspace_ctrl.cache.watches import WATCHED
from workspace_ctrl.records.core_v1 import parse_namespace
from workspace_ctrl.records.flux import parse_helm_release
from workspace_ctrl.records.gateways import parse_gateway, parse_gateway_service, parse_http_route, parse_inference_pool
from workspace_ctrl.records.pods import PodProblem, parse_pod
from workspace_ctrl.records.workloads import parse_workload
from workspace_ctrl.records.workspaces import parse_workspace_record


def named(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "ns"}, **fields}


@pytest.mark.parametrize(
    ("labels", "is_preferred"),
    [
        pytest.param(None, False, id="no labels"),
        pytest.param({GATEWAY_LABELS[0]: "true"}, True, id="ours"),
        pytest.param({GATEWAY_LABELS[-1]: "true", GATEWAY_LABELS[0]: "false"}, True, id="one of them"),
        pytest.param({GATEWAY_LABELS[0]: "false"}, False, id="another value"),
        pytest.param({"team": "true"}, False, id="another label"),
    ],
)
def test_a_gateway_is_the_default_by_a_label(labels, is_preferred):
    assert parse_gateway({"metadata": {"name": "x", "labels": labels}}, "Gateway").preferred is is_preferred


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": {"labels": None}}])
def test_a_namespace_without_labels_has_none(raw):
    assert parse_namespace(raw, "Namespace").labels == {}


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.resource.kind)
@pytest.mark.parametrize("raw", [named(), named(spec={}, status={}), named(spec=None, status=None)], ids=["bare", "empty", "null"])
def test_half_made_objects_are_read(watched, raw):
    assert watched.parse(raw, watched.resource.kind).meta.ref.name == "x"


def container(name: str = "vllm", **fields: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": name, **fields}]}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        pytest.param({}, None, id="nothing yet"),
        pytest.param(container(state={"waiting": {"reason": "ContainerCreating"}}), None, id="on its way"),
        pytest.param(container(state=ended(0, "Completed")), None, id="ended well"),
        pytest.param(
            container(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            PodProblem("ImagePullError", "container vllm: ImagePullBackOff: no such image"),
            id="image",
        ),
        pytest.param(
            container(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended(137, "OOMKilled"), restartCount=3),
            PodProblem(
                "ContainerOOMKilled", "container vllm OOM-killed: the node or its limit ran out of memory, restarted 3 times"
            ),
            id="out of memory",
        ),
        pytest.param(
            container(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended(2, message="loading\nno such model\n")),
            PodProblem("ContainerCrashLoopBackOff", "container vllm exited with code 2; last message: no such model"),
            id="crash loop",
        ),
        pytest.param(
            container(state={"running": {}}, lastState=ended(1), restartCount=2),
            PodProblem("ContainerCrashLoopBackOff", "container vllm exited with code 1, restarted 2 times"),
            id="runs again between two ends: the reason stays",
        ),
        pytest.param(
            container(state=ended(1)), PodProblem("ContainerFailed", "container vllm exited with code 1"), id="the first end"
        ),
        pytest.param(
            container(lastState=ended(1)), PodProblem("ContainerFailed", "container vllm exited with code 1"), id="without a state"
        ),
        pytest.param(
            container(state={"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "hf" not found'}}),
            PodProblem("CreateContainerConfigError", 'container vllm: secret "hf" not found'),
            id="missing Secret",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]},
            PodProblem("Unschedulable", "0/1 nodes"),
            id="no node",
        ),
        pytest.param(
            {"phase": "Failed", "reason": "Evicted", "message": "low on disk"},
            PodProblem("PodEvicted", "low on disk"),
            id="evicted",
        ),
    ],
)
def test_a_pod_says_why_it_is_not_ready(status, problem):
    pod = parse_pod(named(status=status), "Pod")
    assert (pod.problem, pod.ready) == (problem, False)


@pytest.mark.parametrize(
    ("startable", "node", "phase", "waits"),
    [
        pytest.param("False", "node-1", "Pending", True, id="on a node"),
        pytest.param("True", "node-1", "Pending", False, id="pulls its image"),
        pytest.param("False", "", "Pending", False, id="not scheduled"),
        pytest.param("False", "node-1", "Failed", False, id="ended"),
        pytest.param(None, "node-1", "Pending", False, id="an older kubelet says nothing"),
    ],
)
def test_a_pod_without_volumes_is_one_that_the_kubelet_cannot_start(startable, node, phase, waits):
    conditions = [{"type": "PodReadyToStartContainers", "status": startable}] if startable else []
    found = parse_pod(named(spec={"nodeName": node}, status={"phase": phase, "conditions": conditions}), "Pod")
    assert found.is_waiting_for_volumes is waits


@pytest.mark.parametrize(
    ("existing", "updated", "ready", "serves"),
    [
        pytest.param(3, 3, 1, True, id="scaled up"),
        pytest.param(1, 1, 1, False, id="not scaled up yet"),
        pytest.param(3, 2, 1, False, id="rolled out: the old one serves"),
        pytest.param(4, 3, 1, False, id="rolled out with a pod more"),
        pytest.param(3, 3, 0, False, id="none is ready"),
    ],
)
def test_a_workload_serves_with_one_ready_replica_of_the_newest_spec(existing, updated, ready, serves):
    status = {"observedGeneration": 2, "replicas": existing, "updatedReplicas": updated, "readyReplicas": ready}
    raw = named(spec={"replicas": 3}, status=status)
    raw["metadata"]["generation"] = 2
    assert parse_workload(raw, "Deployment").serves is serves


def test_a_ready_pod_has_no_trouble():
    crashed_before = container(state={"running": {}}, lastState=ended(1), restartCount=2)
    pod = parse_pod(named(status={**crashed_before, "conditions": [{"type": "Ready", "status": "True"}]}), "Pod")
    assert (pod.problem, pod.ready) == (None, True)


def test_a_workload_is_ready_when_all_replicas_of_the_newest_spec_are():
    status = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    raw = named(spec={"replicas": 2}, status=status)
    raw["metadata"]["generation"] = 2
    assert parse_workload(raw, "Deployment").is_ready
    raw["spec"]["replicas"] = 0
    assert not parse_workload(raw, "Deployment").is_ready
    raw["spec"]["replicas"], status["updatedReplicas"] = 2, 1
    assert not parse_workload(raw, "Deployment").is_ready


def test_a_gateway_s_record_does_not_move_with_its_attached_routes():
    raw = named(spec={"gatewayClassName": "istio"}, status={"listeners": [{"name": "http", "attachedRoutes": 1}]})
    before = parse_gateway(raw, "Gateway")
    raw["status"]["listeners"][0]["attachedRoutes"] = 2
    assert parse_gateway(raw, "Gateway") == before


def test_a_parent_without_a_namespace_is_in_the_route_s():
    route = parse_http_route(named(status={"parents": [{"parentRef": {"name": "g"}, "controllerName": "c"}]}), "HTTPRoute")
    assert str(route.parents[0].parent.ref) == "Gateway ns/g"


@pytest.mark.parametrize(
    ("spec", "has_picker"), [({"endpointPickerRef": {"name": "x-epp"}}, True), ({"endpointPickerRef": None}, False), ({}, False)]
)
def test_a_pool_may_have_no_endpoint_picker(spec, has_picker):
    assert parse_inference_pool(named(spec=spec), "InferencePool").has_picker == has_picker


@pytest.mark.parametrize(
    ("ref", "service"),
    [
        pytest.param({"name": "x-epp", "port": {"number": 9002}}, "x-epp", id="a Service is the default"),
        pytest.param({"kind": "Service", "name": "x-epp"}, "x-epp", id="named as one"),
        pytest.param({"kind": "Picker", "name": "x-epp"}, "", id="another kind"),
        pytest.param(None, "", id="none"),
    ],
)
def test_a_pool_names_the_service_of_its_endpoint_picker(ref, service):
    assert parse_inference_pool(named(spec={"endpointPickerRef": ref}), "InferencePool").picker_service == service


def test_a_route_has_its_request_for_a_status():
    asking = {"metadata": {"name": "x", "annotations": {"workspace-ctrl/pool-status-requested": "generation-1"}}}
    assert parse_http_route(asking, "HTTPRoute").status_request == "generation-1"
    assert parse_http_route(named(), "HTTPRoute").status_request == ""


def test_the_newest_entry_of_the_history_counts():
    history = [{"chartName": "inferencepool", "chartVersion": "1.5.0"}, {"chartVersion": "1.4.0"}]
    assert parse_helm_release(named(status={"history": history}), "HelmRelease").chart_version == "1.5.0"


def test_a_workspace_keeps_what_it_asks_for_and_nothing_else():
    record = parse_workspace_record(quickstart(unknown={"a": 1}), "Workspace")
    assert set(record.fields()) == {"resource", "inference"}


def test_of_annotations_and_labels_only_those_with_our_prefix_or_kaitos_are_kept_and_few_of_them():
    many = {f"kaito.sh/{number:04}": "x" * 5000 for number in range(1000)}
    raw = quickstart(
        metadata={
            "name": "phi",
            "annotations": {**many, "kaito.sh/runtime": "v" * 5000, "workspace-ctrl/adopt": "true", "example.com/a": "b"},
            "labels": {**many, "scaledobject.kaito.sh/x": "y", "app": "phi"},
        }
    )
    record = parse_workspace_record(raw, "Workspace")
    assert {key: len(value) for key, value in record.annotations.items() if key not in many} == {
        "kaito.sh/runtime": 1024,
        "workspace-ctrl/adopt": 4,
    }
    for kept in (record.annotations, record.labels):
        assert {key: len(kept[key]) for key in kept if key in many} == {f"kaito.sh/{number:04}": 64 for number in range(32)}
    assert record.labels.keys() <= many.keys()


def test_conditions_of_other_controllers_are_not_ours_to_compare():
    raw = quickstart(
        status={
            "conditions": [{"type": "NodeClaimReady", "status": "True", "reason": "r", "message": "", "lastTransitionTime": ""}]
        }
    )
    assert parse_workspace_record(raw, "Workspace").status.conditions == ()


def test_what_is_wrong_keeps_its_words_also_where_true_means_wrong():
    raw = [
        {"type": "Available", "status": "True", "message": "all is well"},
        {"type": "ReplicaFailure", "status": "True", "message": "pods are forbidden: privileged"},
    ]
    assert [condition.message for condition in parse_brief_conditions(raw)] == ["", "pods are forbidden: privileged"]


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        pytest.param({"clusterIP": "10.0.0.1"}, "10.0.0.1", id="an address"),
        pytest.param({"clusterIP": "None"}, "", id="headless"),
        pytest.param({"clusterIP": None}, "", id="null"),
        pytest.param({}, "", id="of type ExternalName"),
    ],
)
def test_the_address_of_a_gateways_service(spec, address):
    assert parse_gateway_service({"metadata": {"name": "x"}, "spec": spec}, "Service").cluster_ip == address
