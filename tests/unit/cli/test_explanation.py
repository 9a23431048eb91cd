"""`workspace-ctrl explain`: the first broken link is the right one, for each fault of the agreement test."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from e2e.agreement.faults import FAULTS
from tests.unit.factories import (
    NAME,
    NAMESPACE,
    condition,
    decisions,
    deployment,
    gateway,
    parent,
    parent_status,
    picker,
    pod,
    pool,
    quickstart,
    release,
    route,
)
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.cli.inspect.chain_explanation import explanation
from workspace_ctrl.cli.inspect.observed_workspace import ObservedWorkspace
from workspace_ctrl.cli.main import main
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.readiness.chain import evaluate
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.gateways import GatewayProxy
from workspace_ctrl.records.pods import PodProblem

SINCE = "2026-11-27T18:00:00Z"
NO_PROXY = {"gateway_proxies": (GatewayProxy(picker(ready=0), "inference-gateway"),)}
STALE_GATEWAY = gateway(conditions=(condition("Programmed", generation=0),))
NO_CERTIFICATE = gateway(conditions=(condition("Programmed", "False", "InvalidCertificateRef", "no such Secret"),))


def told(type_, status="True", reason="Because", message="so it is", generation=1):
    said = {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": SINCE}
    return {**said, "observedGeneration": generation}


def all_good():
    types = ["Ready", "WorkloadAccepted", "ResourceReady", "InferenceReady", "ChartReady", "EndpointPickerReady", "RouteReady"]
    return {type_: told(type_) for type_ in (*types, "EndpointsReady", "GatewayReady")}


def observed(snapshot=READY, decided=None, *, generation=1, **said):
    decided = decided or decisions()
    metadata = {"namespace": NAMESPACE, "name": NAME, "generation": generation}
    conditions = [*(all_good() | said).values()]
    item = quickstart(metadata=metadata, status={"observedGeneration": 1, "conditions": conditions})
    return ObservedWorkspace(item, snapshot, decided, evaluate(snapshot, decided))


def changed(**fields):
    return observed(replace(READY, **fields))


def at(**fields):
    return observed(decided=decisions(parents=(parent(**fields),)))


NO_PODS = {"workloads": (deployment(ready=0),), "pods": (pod(ready=False),)}
NOT_READY_PICKER = {"endpoint_picker": picker(ready=0)}
INVENTORY = chart_object_id("Service", "x")
SILENCE = told("RouteReady", "False", "GatewayControllerSilent", "nothing")
BY_FAULT = {
    "endpoint picker scaled to 0": (
        changed(endpoint_picker=picker(ready=0, replicas=0)),
        "endpoint picker",
        "EndpointPickerScaledToZero",
    ),
    "endpoint picker killed": (changed(**NOT_READY_PICKER), "endpoint picker", "EndpointPickerStarting"),
    "endpoint picker hangs": (changed(**NOT_READY_PICKER), "endpoint picker", "EndpointPickerStarting"),
    "endpoint picker's Service deleted": (
        changed(release=release(inventory=INVENTORY), chart_object_kinds=frozenset({"Service"})),
        "endpoint picker",
        "ChartObjectsMissing",
    ),
    "InferencePool deleted": (changed(pool=None), "InferencePool", "InferencePoolNotFound"),
    "all model pods deleted": (changed(**NO_PODS), "model server", "ModelServerStarting"),
    "model pods refuse connections": (changed(**NO_PODS), "model server", "ModelServerStarting"),
    "model pods hang": (
        observed(GatewayReady=told("GatewayReady", "False", "ProbeFailed", "no answer")),
        "request",
        "ProbeFailed",
    ),
    "HTTPRoute deleted": (changed(route=None), "HTTPRoute", "HTTPRouteNotCreated"),
    "HTTPRoute edited": (changed(route=route(generation=2)), "HTTPRoute", "WaitingForGateway"),
    "Gateway's proxy killed": (
        changed(**NO_PROXY),
        "Gateway",
        "GatewayProxyNotReady",
    ),
    "Gateway deleted": (
        observed(decided=decisions(Problem(LinkName.GATEWAY, "NoGateway", "there is none"), parents=())),
        "Gateway",
        "NoGateway",
    ),
    "Gateway's port changed": (at(gateway=STALE_GATEWAY), "Gateway", "GatewayNotProgrammed"),
    "the class's controller stopped": (
        changed(**NO_PROXY),
        "Gateway",
        "GatewayProxyNotReady",
    ),
    "HTTPS certificate removed": (at(gateway=NO_CERTIFICATE), "Gateway", "InvalidCertificateRef"),
    "HelmRelease suspended, endpoint picker deleted": (
        changed(release=release(suspended=True), endpoint_picker=None),
        "chart release",
        "Paused",
    ),
}


def test_every_fault_of_the_agreement_test_has_a_row():
    assert BY_FAULT.keys() == {fault.name for fault in FAULTS}


@pytest.mark.parametrize(("case", "title", "reason"), BY_FAULT.values(), ids=BY_FAULT)
def test_the_first_broken_link_of_a_fault(case, title, reason):
    found = explanation(case)
    assert (found.broken.title, found.broken.reason) == (title, reason)
    assert sum(link.is_first_broken for link in found.links) == 1
    assert not found.broken.holds


def test_a_whole_chain_has_no_broken_link():
    found = explanation(observed())
    assert found.broken is None
    assert all(link.holds for link in found.links)
    assert [link.title for link in found.links] == [
        *("workload", "nodes", "model server", "Gateway", "chart source", "chart release", "endpoint picker", "InferencePool"),
        *("HTTPRoute", "endpoints", "request"),
    ]
    assert {link.since for link in found.links} == {SINCE}
    assert found.notes == ()


ONLY_IN_THE_STATUS = [
    pytest.param(
        observed(WorkloadAccepted=told("WorkloadAccepted", "False", "DryRunFailed", "exceeded quota")),
        ("workload", "DryRunFailed", "exceeded quota"),
        id="the API server rejects the workload",
    ),
    pytest.param(
        observed(replace(READY, route=None), RouteReady=told("RouteReady", "False", "PathConflict", "ns/older has it")),
        ("HTTPRoute", "PathConflict", "ns/older has it"),
        id="another Workspace came first",
    ),
    pytest.param(
        observed(
            replace(READY, pool=pool(parent_status(name="old"))),
            RouteReady=SILENCE,
        ),
        ("InferencePool", "GatewayControllerSilent", "nothing"),
        id="silence is measured by the controller",
    ),
]


@pytest.mark.parametrize(("case", "expected"), ONLY_IN_THE_STATUS)
def test_what_only_the_controller_knows_is_taken_from_its_status(case, expected):
    broken = explanation(case).broken
    assert (broken.title, broken.reason, broken.message, broken.since) == (*expected, SINCE)


def test_a_status_of_an_older_generation_says_nothing():
    case = observed(generation=2, WorkloadAccepted=told("WorkloadAccepted", "False", "DryRunFailed", "exceeded quota"))
    found = explanation(case)
    assert found.broken.title == "request"
    assert {link.since for link in found.links} == {""}
    assert "older generation" in " ".join(found.notes)


def test_without_a_controller_the_objects_tell():
    case = changed(endpoint_picker=picker(ready=0, replicas=0))
    bare = replace(case, item={**case.item, "status": {}})
    found = explanation(bare)
    assert found.broken.title == "endpoint picker"
    assert "no controller has written a status" in " ".join(found.notes)


def test_a_pool_without_a_status_is_not_named_before_the_route_that_is_missing():
    case = changed(pool=pool(parent_status(name="old")), route=None)
    assert case.report.decisive.name is LinkName.POOL
    assert explanation(case).broken.title == "HTTPRoute"


def test_a_request_that_was_answered_before_says_nothing_of_a_broken_chain():
    request = explanation(changed(endpoint_picker=None)).links[-1]
    assert (request.title, request.status) == ("request", Status.UNKNOWN)


def test_objects_that_contradict_the_status_are_said():
    assert "is the controller running?" in " ".join(explanation(changed(endpoint_picker=None)).notes)


def test_a_pod_without_a_node_is_explained_by_its_own_words():
    problem = PodProblem("Unschedulable", "0/3 nodes are available")
    case = changed(workloads=(deployment(ready=0),), pods=(pod(ready=False, node="", problem=problem),))
    broken = explanation(case).broken
    assert (broken.title, broken.reason) == ("nodes", "Unschedulable")
    assert "0/3 nodes are available" in broken.message
    assert broken.status is Status.FALSE


def test_a_rejected_spec_is_the_first_link():
    case = observed(decided=decisions(Problem(LinkName.SPEC, "InvalidSpec", "no such preset", terminal=True)))
    found = explanation(case)
    assert (found.broken.title, found.broken.reason, found.reason.name) == ("workload", "InvalidSpec", "InvalidSpec")


@pytest.mark.parametrize(
    ("word", "code", "output"),
    [
        ("NoReadyEndpoints", 0, "condition  EndpointsReady"),
        ("OCIArtifactPullFailed", 0, "(reported by source-controller)"),
        ("GatewayConfigured", 0, "GatewayReady is True with it"),
        ("NoReadyEndpoint", 2, "did you mean NoReadyEndpoints?"),
        ("noreadyendpoints", 0, "NoReadyEndpoints\ncondition  EndpointsReady"),
        ("noreadyendpoints", 0, "for a Workspace of this name: workspace-ctrl explain workspace/noreadyendpoints"),
        ("GATEWAYREADY", 0, "GatewayReady is a condition"),
        ("RouteReady:", 0, "RouteReady is a condition"),
        ("condition=Ready", 0, "Ready is a condition"),
        ("GatewayReady=False", 0, "GatewayReady is a condition"),
        ("(NoReadyEndpoints)", 0, "condition  EndpointsReady"),
        ("InvalidKind", 0, "(reported by Gateway, of an HTTPRoute)"),
        ("NoStatus", 0, "No controller has written a status yet"),
        ("ImagePullBackOff", 0, "(reported by kubelet and scheduler)"),
        ("phi", 1, "cannot load the connection to the API server"),
    ],
)
def test_a_reason_is_explained_without_a_cluster(word, code, output):
    result = CliRunner().invoke(main, ["explain", word], env={"KUBECONFIG": "/nowhere"})
    assert (result.exit_code, output in result.output) == (code, True)


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["RouteReady:", "PathConflict:"], "PathConflict\ncondition  RouteReady"),
        (["RouteReady: PathConflict"], "PathConflict\ncondition  RouteReady"),  # in quotes, as one argument
        (["Reason:", "NoReadyEndpoints"], "condition  EndpointsReady"),
        (["Ready", "False", "NoReadyEndpoints"], "Ready is a condition"),
    ],
)
def test_conditions_and_reasons_are_explained_as_they_are_printed(words, output):
    result = CliRunner().invoke(main, ["explain", *words], env={"KUBECONFIG": "/nowhere"})
    assert (result.exit_code, output in result.output) == (0, True)


@pytest.mark.parametrize("words", [["ready", "-n", "a"], ["ready", "phi"], ["InferenceSet", "ready"], ["workspace/ready"]])
def test_a_name_that_is_a_reason_too_is_one_where_the_rest_says_so(words):
    result = CliRunner().invoke(main, ["explain", *words], env={"KUBECONFIG": "/nowhere"})
    assert (result.exit_code, "cannot load the connection" in result.output) == (1, True)


def test_changes_of_pods_that_wait_are_named():
    case = observed(Warning=told("Warning", "True", "UpdateWaits", "pods are kept"))
    assert "pods are kept" in explanation(case).notes
    assert "pods are kept" not in explanation(observed(Warning=told("Warning", "True", "IgnoredOrAssumed", "pods are kept"))).notes


def test_a_canary_that_was_stopped_is_said_with_a_way_out_and_one_in_progress_is_not():
    stopped = observed(CanaryProgressing=told("CanaryProgressing", "False", "CanaryErrors", "3 of 30 requests failed"))
    (note,) = explanation(stopped).notes
    assert note.startswith("CanaryProgressing: CanaryErrors: 3 of 30 requests failed; See the logs of the canary")
    assert explanation(observed(CanaryProgressing=told("CanaryProgressing", "True", "CanaryInProgress"))).notes == ()
