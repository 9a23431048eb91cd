"""Reading objects: what a record takes from them, and that half-made ones do not break it."""

from typing import Any

import pytest

from tests.unit.factories import quickstart
from workspace_ctrl.controller.kinds import WATCHED
from workspace_ctrl.records.flux import parse_helm_release
from workspace_ctrl.records.gateways import parse_gateway, parse_http_route
from workspace_ctrl.records.workloads import parse_pod, parse_workload
from workspace_ctrl.records.workspaces import parse_workspace_record


def named(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "ns"}, **fields}


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.resource.kind)
@pytest.mark.parametrize("raw", [named(), named(spec={}, status={}), named(spec=None, status=None)], ids=["bare", "empty", "null"])
def test_half_made_objects_are_read(watched, raw):
    assert watched.parse(raw, watched.resource.kind).meta.ref.name == "x"


@pytest.mark.parametrize(
    ("status", "trouble", "unschedulable"),
    [
        pytest.param({}, "", "", id="nothing yet"),
        pytest.param({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, "", "", id="on its way"),
        pytest.param(
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
            "ImagePullBackOff: no such image",
            "",
            id="image",
        ),
        pytest.param(
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                    }
                ]
            },
            "CrashLoopBackOff: OOMKilled with exit code 137",
            "",
            id="out of memory",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]},
            "",
            "0/1 nodes",
            id="no node",
        ),
    ],
)
def test_a_pod_says_why_it_is_not_ready(status, trouble, unschedulable):
    pod = parse_pod(named(status=status), "Pod")
    assert (pod.trouble, pod.unschedulable, pod.ready) == (trouble, unschedulable, False)


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
    assert str(route.parents[0].parent) == "Gateway ns/g"


def test_the_newest_entry_of_the_history_counts():
    history = [{"chartName": "inferencepool", "chartVersion": "1.5.0"}, {"chartVersion": "1.4.0"}]
    assert parse_helm_release(named(status={"history": history}), "HelmRelease").chart_version == "1.5.0"


def test_a_workspace_keeps_what_it_asks_for_and_nothing_else():
    record = parse_workspace_record(quickstart(unknown={"a": 1}), "Workspace")
    assert set(record.fields()) == {"resource", "inference"}


def test_conditions_of_other_controllers_are_not_ours_to_compare():
    raw = quickstart(
        status={
            "conditions": [{"type": "NodeClaimReady", "status": "True", "reason": "r", "message": "", "lastTransitionTime": ""}]
        }
    )
    assert parse_workspace_record(raw, "Workspace").status.conditions == []
