"""The status: no way to a True that skips a link."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.factories import (
    DIGEST,
    NOW,
    PICKER_SERVICE,
    condition,
    decisions,
    deployment,
    derived,
    gateway,
    meta,
    missed_pool,
    parent,
    parent_status,
    picker,
    pod,
    pool,
    release,
    route,
    service,
    source,
    status,
    workspace,
)
from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import PodsStatus
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.chain import evaluate
from workspace_ctrl.readiness.status import removal_status
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.gateways import GatewayService
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import PodProblem, without_volumes
from workspace_ctrl.records.workspaces import pack_status

READY = Snapshot(
    workloads=(deployment(),),
    services=(service(),),
    pods=(pod(),),
    source=source(),
    release=release(),
    endpoint_picker=picker(),
    pool=pool(),
    route=route(),
)


REFUSED = parent_status(condition("Accepted", "False", "NotAllowedByListeners"), condition("ResolvedRefs"))


def conditions(snapshot=READY, decided=None, record=None):
    return status(record or workspace(), snapshot, decided or decisions(), NOW).conditions


def state(entries, type_):
    found = find(entries, type_)
    return (found.status, found.reason) if found else None


def test_what_pods_are_made_from_stays_in_the_status_until_it_is_known_anew():
    earlier, newer = PodsStatus(version="0.1.9", inputs="a"), PodsStatus(version="0.2.0", inputs="b")
    before = replace(workspace(), stored_status=pack_status({"pods": {"version": "0.1.9", "inputs": "a"}}, "Workspace"))
    assert status(before, READY, decisions(), NOW).pods == earlier
    assert status(before, READY, replace(decisions(), pods=newer), NOW).pods == newer


def test_when_every_link_holds_the_workspace_is_ready():
    entries = conditions()
    assert state(entries, "GatewayReady") == ("True", "GatewayConfigured")
    assert state(entries, "Ready") == ("True", "Ready")
    assert state(entries, "WorkspaceSucceeded") == ("True", "workspaceSucceeded")
    assert state(entries, "Reconciling") is None
    assert state(entries, "Stalled") is None
    assert all(entry.status == "True" for entry in entries)


@pytest.mark.parametrize(
    ("snapshot", "decided", "reason"),
    [
        pytest.param(READY, decisions(workload_kind=""), "DryRunPending", id="workload not accepted"),
        pytest.param(READY, decisions(parents=()), "GatewayNotChosen", id="no gateway"),
        pytest.param(
            READY,
            decisions(parents=(parent(gateway=gateway(conditions=())),)),
            "GatewayNotProgrammed",
            id="gateway not programmed",
        ),
        pytest.param(replace(READY, source=None), decisions(), "ChartNotRequested", id="no source"),
        pytest.param(replace(READY, source=source(generation=2)), decisions(), "FetchingChart", id="source stale"),
        pytest.param(replace(READY, release=None), decisions(), "ChartNotInstalled", id="no release"),
        pytest.param(replace(READY, release=release(digest="sha256:old")), decisions(), "ChartInstalling", id="old chart"),
        pytest.param(replace(READY, release=release(suspended=True)), decisions(), "Paused", id="paused"),
        pytest.param(replace(READY, endpoint_picker=None), decisions(), "EndpointPickerNotFound", id="picker gone"),
        pytest.param(replace(READY, endpoint_picker=picker(ready=0)), decisions(), "EndpointPickerStarting", id="picker down"),
        pytest.param(replace(READY, pool=None), decisions(), "InferencePoolNotFound", id="pool gone"),
        pytest.param(replace(READY, pool=pool(parent_status(name="x"))), decisions(), "WaitingForGateway", id="pool elsewhere"),
        pytest.param(replace(READY, route=None), decisions(), "HTTPRouteNotCreated", id="route gone"),
        pytest.param(replace(READY, route=route(generation=2)), decisions(), "WaitingForGateway", id="route stale"),
        pytest.param(replace(READY, pods=()), decisions(), "NoReadyEndpoints", id="no pods"),
        pytest.param(READY, decisions(Problem(LinkName.ROUTE, "NotOwned", "x")), "NotOwned", id="a problem of planning"),
    ],
)
def test_one_broken_link_makes_gateway_ready_false_with_its_reason(snapshot, decided, reason):
    entries = conditions(snapshot, decided)
    assert state(entries, "GatewayReady") == ("False", reason)
    assert state(entries, "Ready")[0] == "False"
    assert state(entries, "Reconciling")[0] == "True"


def test_the_first_broken_link_wins():
    entries = conditions(replace(READY, source=None, pods=(), route=None))
    assert state(entries, "GatewayReady") == ("False", "ChartNotRequested")
    assert state(entries, "EndpointsReady") == ("False", "NoReadyEndpoints")


UNKNOWN_KIND = condition("ResolvedRefs", "False", "InvalidKind", "referencing unsupported backendRef: group InferencePool")


def unheard(*words):
    """What there is where a Gateway's controller says nothing of the pool, and `words` of the route."""
    return replace(READY, pool=replace(pool(), parents=()), route=route(parent_status(condition("Accepted"), *words)))


def test_a_controller_that_does_not_know_pools_is_told_by_its_words_about_the_route_with_the_way_out():
    decided = decisions(parents=(parent(pool_remedy="set the switch"),))
    entries = conditions(unheard(UNKNOWN_KIND), decided)
    assert state(entries, "GatewayReady") == ("False", "HTTPRouteRefsUnresolved")
    assert find(entries, "GatewayReady").message.endswith(
        "InvalidKind: referencing unsupported backendRef: group InferencePool; Istio: set the switch"
    )
    assert state(entries, "Stalled") == ("True", "HTTPRouteRefsUnresolved")


TIMEOUTS = "Error GWCER104: HTTPRoute is misconfigured, err: Timeouts are not supported."


@pytest.mark.parametrize(
    ("make", "message", "has_way_out"),
    [
        pytest.param(route, TIMEOUTS, True, id="for its timeouts"),
        pytest.param(route, "Error GWCER104: Paths must start with a '/' character", False, id="for something else"),
        pytest.param(route, "Timeout while waiting for the load balancer", False, id="for a timeout of another kind"),
        pytest.param(pool, TIMEOUTS, False, id="a pool, which has no timeouts"),
    ],
)
def test_a_route_that_is_rejected_for_its_timeouts_gets_the_way_out(make, message, has_way_out):
    rejected = make(parent_status(condition("Accepted", "False", "UnsupportedValue", message)))
    decided = decisions(parents=(parent(takes_timeouts=False, timeout_policy="GCPBackendPolicy"),))
    found = find(conditions(replace(READY, **{make.__name__: rejected}), decided), "GatewayReady")
    way_out = "; remove spec.rules[].timeouts, and set timeoutSec in a GCPBackendPolicy for the pool"
    assert found.message.endswith(message + way_out * has_way_out)


@pytest.mark.parametrize(("seconds", "reason"), [(59.9, "WaitingForGateway"), (60.0, "GatewayControllerSilent")])
def test_a_controller_that_says_nothing_for_a_minute_is_a_failure(seconds, reason):
    snapshot = replace(unheard(condition("ResolvedRefs")), ages=StageAges(attachment=seconds))
    entries = conditions(snapshot, decisions(parents=(parent(pool_remedy="set the switch"),)))
    assert state(entries, "GatewayReady") == ("False", reason)
    assert ("set the switch" in find(entries, "GatewayReady").message) == (reason == "GatewayControllerSilent")


@pytest.mark.parametrize(
    ("snapshot", "awaited"),
    [
        pytest.param(READY, "", id="nothing"),
        pytest.param(unheard(), "WaitingForGateway", id="a status"),
        pytest.param(replace(unheard(), ages=StageAges(attachment=60.0)), "WaitingForGateway", id="a status for over a minute"),
        pytest.param(replace(READY, pool=missed_pool(), parts=PICKER_SERVICE), "InferencePoolStatusOutdated", id="a newer status"),
        pytest.param(replace(READY, pool=missed_pool(), parts={}), "", id="the Service is missing indeed"),
    ],
)
def test_what_a_gateway_s_controller_has_to_report_is_known(snapshot, awaited):
    assert evaluate(snapshot, decisions()).awaited == awaited


def test_a_controller_that_has_lost_the_status_of_a_pool_is_to_be_restarted():
    snapshot = replace(unheard(condition("ResolvedRefs")), ages=StageAges(attachment=60.0))
    lossy = parent(pool_remedy="set the switch", lost_status_remedy="restart it")
    message = find(conditions(snapshot, decisions(parents=(lossy,))), "GatewayReady").message
    assert message.endswith("; Istio: set the switch; if it reports those of other Workspaces, restart it")


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        pytest.param(
            replace(READY, source=source(generation=2), pool=pool(REFUSED)), "InferencePoolNotAccepted", id="pool before a fetch"
        ),
        pytest.param(replace(READY, release=release(digest="x"), route=route(REFUSED)), "HTTPRouteNotAccepted", id="route"),
        pytest.param(replace(READY, source=source(generation=2), pods=()), "FetchingChart", id="pods that start are no failure"),
    ],
)
def test_a_clear_failure_is_told_before_what_only_waits(snapshot, reason):
    assert state(conditions(snapshot), "GatewayReady") == ("False", reason)


def test_a_terminal_problem_stalls():
    entries = conditions(Snapshot(), decisions(Problem(LinkName.SPEC, "InvalidSpec", "no", terminal=True), workload_kind=""))
    assert state(entries, "Stalled") == ("True", "InvalidSpec")
    assert state(entries, "Reconciling") is None
    assert state(entries, "WorkspaceSucceeded") == ("False", "InvalidSpec")
    assert state(entries, "WorkloadAccepted") == ("False", "InvalidSpec")


def test_without_the_gateway_side_only_the_model_server_counts():
    entries = conditions(Snapshot(workloads=(deployment(),), pods=(pod(),)), decisions(gateway_wanted=False))
    assert state(entries, "Ready") == ("True", "Ready")
    assert state(entries, "GatewayReady") is None
    assert status(workspace(), READY, decisions(gateway_wanted=False), NOW).gateway is None


def test_ready_says_why_there_is_no_gateway_ready():
    ready = find(
        conditions(Snapshot(workloads=(deployment(),), pods=(pod(),)), decisions(gateway_wanted=False)), ConditionType.READY
    )
    assert ready.is_true
    assert "feature gate gatewayAPIInferenceExtension is off, or gateway.enabled is false" in ready.message


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        pytest.param(replace(READY, workloads=(deployment(ready=0),)), "ModelServerStarting", id="starting"),
        pytest.param(
            replace(
                READY,
                workloads=(deployment(ready=0),),
                pods=(pod(ready=False, problem=PodProblem("ImagePullError", "no such image")),),
            ),
            "ImagePullError",
            id="image",
        ),
        pytest.param(
            replace(
                READY,
                workloads=(deployment(ready=0),),
                pods=(pod(ready=False, node="", problem=PodProblem("Unschedulable", "0/3 nodes")),),
            ),
            "Unschedulable",
            id="no node",
        ),
        pytest.param(
            replace(
                READY, workloads=(deployment(ready=0, conditions=(condition("ReplicaFailure", "True", "FailedCreate"),)),), pods=()
            ),
            "FailedCreate",
            id="quota on pods",
        ),
        pytest.param(replace(READY, workloads=()), "WorkloadNotCreated", id="no workload"),
        pytest.param(replace(READY, workloads=(deployment(generation=2),)), "ModelServerStarting", id="old generation"),
    ],
)
def test_inference_ready_falls_with_the_pods_own_reason(snapshot, reason):
    entries = conditions(snapshot)
    assert state(entries, "InferenceReady") == ("False", reason)
    assert state(entries, "Ready") == ("False", reason)


def trouble(name, reason, **fields):
    return pod(ready=False, name=name, problem=PodProblem(reason, f"words of {name}"), **fields)


def test_a_model_that_serves_stays_ready_while_it_is_scaled():
    pending = trouble("p2", "Unschedulable", node="")
    entries = conditions(replace(READY, workloads=(deployment(replicas=3, ready=1, updated=3),), pods=(pod(), pending)))
    assert state(entries, "Ready") == ("True", "Ready")
    assert find(entries, "InferenceReady").message.endswith("1 of 3 replicas ready; Unschedulable: Pod default/p2: words of p2")


EVICTED = trouble("p1", "PodEvicted", has_ended=True, created="2026-11-21T12:00:00Z")


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        pytest.param((EVICTED,), "PodEvicted", id="nothing else is there"),
        pytest.param(
            (EVICTED, trouble("p2", "ImagePullError", created="2026-11-21T12:00:01Z")), "ImagePullError", id="its successor"
        ),
        pytest.param((EVICTED, pod(ready=False, name="p2")), "ModelServerStarting", id="its successor starts"),
        pytest.param(
            (trouble("p1", "A", created="2026-11-21T12:00:00Z"), trouble("p2", "B", created="2026-11-21T12:00:01Z")),
            "B",
            id="newest",
        ),
    ],
)
def test_the_newest_pod_says_why_and_those_that_have_ended_only_if_all_have(pods, reason):
    entries = conditions(replace(READY, workloads=(deployment(ready=0),), pods=pods))
    assert state(entries, "InferenceReady") == ("False", reason)


def test_pods_that_have_ended_are_not_counted():
    entries = conditions(replace(READY, pods=(EVICTED, pod())))
    assert find(entries, "EndpointsReady").message.startswith("1 of 1 pods")
    assert state(entries, "ResourceReady") == ("True", "workspaceResourceStatusSuccess")


def test_volumes_that_cannot_be_mounted_need_somebody():
    stuck = without_volumes(pod(ready=False, name="p1"))
    entries = conditions(replace(READY, workloads=(deployment(ready=0),), pods=(stuck,)))
    assert state(entries, "Stalled") == ("True", "VolumesNotMounted")
    assert find(entries, "Ready").message.endswith("kubectl events -n default --for pod/p1")


def test_a_listener_with_a_wildcard_says_which_field_makes_the_url():
    wild = gateway(listeners=(Listener("s", "HTTPS", 443, "*.example.com"),))
    entries = conditions(decided=decisions(parents=(parent(gateway=wild),)))
    words = "listener s of Gateway default/inference-gateway serves *.example.com; set gateway.hostnames to the host name that clients use"
    assert words in find(entries, "Ready").message
    assert words in find(entries, "GatewayReady").message
    named = conditions(decided=decisions(parents=(parent(gateway=wild),), hostnames=("m.example.com",)))
    assert "set gateway.hostnames" not in find(named, "GatewayReady").message


def test_the_chart_in_the_status_is_the_fetched_one():
    found = status(workspace(), READY, decisions(), NOW).gateway.chart
    assert (found.version, found.digest) == ("v1.5.0", DIGEST)


@pytest.mark.parametrize("missing", ["source", "release"])
def test_without_a_release_and_its_source_the_status_has_no_chart(missing):
    assert status(workspace(), replace(READY, **{missing: None}), decisions(), NOW).gateway.chart is None


def test_the_status_is_stable():
    first = status(workspace(), READY, decisions(), NOW)
    again = replace(workspace(), stored_status=pack_status(first.as_object()))
    assert status(again, READY, decisions(), NOW + timedelta(hours=1)) == first


@pytest.mark.parametrize(
    ("listener", "addresses", "url"),
    [
        (Listener("h", "HTTP", 80), ("10.0.0.1",), "http://10.0.0.1/default/workspace-phi-4-mini"),
        (Listener("h", "HTTP", 8080), ("10.0.0.1",), "http://10.0.0.1:8080/default/workspace-phi-4-mini"),
        (
            Listener("s", "HTTPS", 443, "models.example.com"),
            ("10.0.0.1",),
            "https://models.example.com/default/workspace-phi-4-mini",
        ),
        (Listener("h", "HTTP", 80), ("fd00::1",), "http://[fd00::1]/default/workspace-phi-4-mini"),
        (Listener("s", "HTTPS", 443, "*.example.com"), ("10.0.0.1",), None),
        (Listener("h", "HTTP", 80), (), None),
        (Listener("t", "TCP", 80), ("10.0.0.1",), None),
    ],
)
def test_the_url(listener, addresses, url):
    decided = decisions(parents=(parent(gateway=gateway(listeners=(listener,), addresses=addresses)),))
    assert status(workspace(), READY, decided, NOW).gateway.url == url


def test_the_url_inside_the_cluster_is_that_of_the_gateway_s_service():
    service = GatewayService(meta("Service", "door", owner=""), "inference-gateway", "10.0.0.9", (80,))
    inside = replace(READY, gateway_services=(service,))
    assert (
        status(workspace(), inside, decisions(), NOW).gateway.internal_url == "http://door.default.svc/default/workspace-phi-4-mini"
    )
    assert status(workspace(), inside, decisions(hostnames=("m.example.com",)), NOW).gateway.internal_url is None
    assert (
        status(
            workspace(), replace(inside, gateway_services=(replace(service, ports=(8080,)),)), decisions(), NOW
        ).gateway.internal_url
        is None
    )
    assert status(workspace(), READY, decisions(), NOW).gateway.internal_url is None
    silent = decisions(parents=(parent(gateway=gateway(addresses=()), service=("router.default.svc", 80)),))
    assert (
        status(workspace(), READY, silent, NOW).gateway.internal_url == "http://router.default.svc:80/default/workspace-phi-4-mini"
    )


def test_ready_says_how_to_ask_for_the_model():
    found = find(status(workspace(), READY, decisions(), NOW).conditions, "Ready").message
    assert found == "model is served at http://gateway.example/default/workspace-phi-4-mini; model name: phi-4-mini-instruct"
    nowhere = decisions(parents=(parent(gateway=gateway(addresses=())),), model_names=())
    assert find(status(workspace(), READY, nowhere, NOW).conditions, "Ready").message.endswith("the Gateway reports no address")


@pytest.mark.parametrize(
    "said_of_the_pool",
    [
        pytest.param(parent_status(controller="example.com/foreign"), id="nobody says anything of it"),
        pytest.param(
            parent_status(condition("Accepted", "False", "HTTPRouteNotAccepted"), condition("ResolvedRefs")), id="refused too"
        ),
    ],
)
def test_a_refused_route_is_told_before_its_pool(said_of_the_pool):
    refused = route(parent_status(condition("Accepted", "False", "NotAllowedByListeners"), condition("ResolvedRefs")))
    found = status(workspace(), replace(READY, route=refused, pool=pool(said_of_the_pool)), decisions(), NOW).conditions
    assert state(found, "GatewayReady") == state(found, "RouteReady") == ("False", "HTTPRouteNotAccepted")


def test_a_pool_that_is_missing_or_broken_is_told_before_the_route_that_does_not_find_it():
    lost = route(parent_status(condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")))
    found = status(workspace(), replace(READY, route=lost, pool=None), decisions(), NOW).conditions
    assert state(found, "GatewayReady") == ("False", "InferencePoolNotFound")


def test_a_pool_that_is_refused_is_told_before_the_route_whose_references_are_not_resolved():
    """A route is told first only where its own refusal is why a pool is refused, too."""
    lost = route(parent_status(condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")))
    refused = pool(parent_status(condition("Accepted", "False", "NotSupported"), condition("ResolvedRefs")))
    found = status(workspace(), replace(READY, route=lost, pool=refused), decisions(), NOW).conditions
    assert state(found, "GatewayReady") == ("False", "InferencePoolNotAccepted")


def test_every_address_is_listed_and_host_names_go_before_addresses():
    listeners = (Listener("a", "HTTP", 80), Listener("b", "HTTPS", 443, "*.example.com"))
    decided = decisions(
        parents=(parent(gateway=gateway(listeners=listeners, addresses=("10.0.0.1",))), parent(section="http")),
        hostnames=("m.example.com",),
        path="/m",
    )
    found = status(workspace(), READY, decided, NOW).gateway
    assert found.urls == ("http://m.example.com/m", "https://m.example.com/m")
    assert found.url == found.urls[0]


def test_a_removal_says_what_it_waits_for():
    record = workspace(deleting=True)
    entries = removal_status(record, READY, NOW).conditions
    assert state(entries, "Ready") == ("False", "Deleting")
    assert "HTTPRoute default/workspace-phi-4-mini and HelmRelease" in find(entries, "Ready").message


def test_warnings_are_one_condition_which_changes_nothing_else():
    entries = conditions(decided=decisions(notes=("first is ignored; remove it", "second", "second")))
    assert state(entries, "Warning") == ("True", "IgnoredOrAssumed")
    assert find(entries, "Warning").message == "(1) first is ignored; remove it (2) second"
    assert [entry for entry in entries if entry.type != "Warning"] == list(conditions())
    assert find(conditions(decided=decisions(notes=("only",))), "Warning").message == "only"
    assert find(conditions(), "Warning") is None


def test_nodes_are_ready_like_the_resources():
    for snapshot in (READY, replace(READY, pods=())):
        entries = conditions(snapshot)
        assert find(entries, "NodesReady") == replace(find(entries, "ResourceReady"), type="NodesReady")


@pytest.mark.parametrize(
    ("before", "is_ready", "after"),
    [
        (None, False, "Pending"),
        ("Pending", False, "Pending"),
        (None, True, "Ready"),
        ("Ready", False, "NotReady"),
        ("NotReady", False, "NotReady"),
        ("NotReady", True, "Ready"),
        ("Failed", False, "Pending"),
    ],
)
def test_the_state_is_that_of_kaito(before, is_ready, after):
    stored = pack_status({"state": before} if before else {})
    record = replace(workspace(), stored_status=stored)
    snapshot = READY if is_ready else replace(READY, pods=(), workloads=())
    assert status(record, snapshot, decisions(), NOW).state == after


def test_a_workspace_that_is_being_deleted_is_not_ready_any_more():
    record = replace(workspace(), stored_status=pack_status({"state": "Ready"}))
    assert removal_status(record, READY, NOW).state == "NotReady"


@pytest.mark.parametrize(
    ("changed", "name", "replicas"),
    [
        pytest.param({}, derived().workload, 1, id="our own"),
        pytest.param({"reference": ObjectRef("Deployment", "ns", "theirs")}, "theirs", None, id="referenced by its name"),
        pytest.param({"reference": ObjectRef("Deployment", "ns", "")}, None, None, id="one of several that a selector finds"),
    ],
)
def test_the_workload_in_the_status_is_the_one_that_serves(changed, name, replicas):
    found = status(workspace(), READY, decisions(**changed), NOW).workload
    assert (found.kind, found.name, found.replicas) == ("Deployment", name, replicas)
