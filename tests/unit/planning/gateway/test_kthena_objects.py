"""What other classes need: profiles, and objects beside the pool."""

import json
from dataclasses import replace

import pytest

from tests.unit.factories import NAME, SETTINGS, chain, gateway, gateway_class, meta, pool, quickstart, workspace
from tests.unit.planning.test_plan import finished, with_accepted, words
from workspace_ctrl.catalog.gateway_classes import chart_provider, find_profile
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.steps import Apply
from workspace_ctrl.records.gateways import KthenaModelServer

KTHENA = "volcano.sh/kthena-router"
ISTIO = "istio.io/gateway-controller"
OWN_NAME = replace(SETTINGS, gateway_classes={"example.com/gateway-controller": "istio"})
MODEL_SERVER = KthenaModelServer(meta("ModelServer"))


def world(controller, **changes):
    return replace(finished(), gateways=(gateway(class_name="c"),), gateway_classes=(gateway_class("c", controller),), **changes)


def planned(snapshot, record=None):
    return plan(record or workspace(), snapshot, SETTINGS)


def test_kthena_s_router_gets_a_model_server_for_the_same_pods():
    outcome = planned(world(KTHENA))
    assert "create ModelServer" in words(outcome)
    assert outcome.desired.dependencies.companion == NAME
    (manifest,) = [step.manifest for step in outcome.steps if step.manifest["kind"] == "ModelServer"]
    assert manifest["spec"]["workloadSelector"] == {"matchLabels": {"kaito.sh/workspace": NAME}}
    assert manifest["spec"]["workloadPort"]["port"] == 5000
    assert manifest["metadata"]["ownerReferences"][0]["controller"] is True


def test_a_missing_crd_of_the_companion_is_said():
    outcome = planned(world(KTHENA, companion_problem="modelservers of x cannot be watched"))
    assert "create ModelServer" not in words(outcome)
    (problem,) = [problem for problem in outcome.decisions.problems if problem.link is LinkName.POOL]
    assert problem.reason == "CRDsNotAvailable"


def test_when_the_gateway_s_class_changes_the_companion_goes_and_the_chart_s_values_follow():
    outcome = planned(world(ISTIO, companion=MODEL_SERVER))
    assert words(outcome) == ["delete ModelServer"]
    assert outcome.desired.dependencies.companion == NAME  # until it is gone
    assert planned(world(ISTIO)).desired.dependencies.companion == ""
    assert words(planned(world("kgateway.dev/kgateway"))) == ["force HelmRelease"]


def test_without_a_gateway_side_the_companion_goes_too():
    off = workspace(quickstart(gateway={"enabled": False}))
    assert "delete ModelServer" in words(planned(world(KTHENA, companion=MODEL_SERVER), off))


def test_a_companion_that_belongs_to_somebody_else_is_left_alone():
    theirs = KthenaModelServer(meta("ModelServer", owner="somebody"))
    assert words(planned(world(ISTIO, companion=theirs))) == []
    assert [problem.reason for problem in planned(world(KTHENA, companion=theirs)).decisions.problems] == ["NotOwned"]


def test_a_class_that_knows_no_headers_is_said_where_they_are_asked_for():
    record = workspace(quickstart(gateway={"match": {"header": True}}))
    problems = planned(world(KTHENA), record).decisions.problems
    assert "HeaderMatchNotSupported" in [problem.reason for problem in problems]
    assert planned(world(ISTIO), record).decisions.problems == ()


@pytest.mark.parametrize(
    ("controller", "words_"),
    [
        (
            KTHENA,
            "HTTPRoute default/workspace-phi-4-mini found; kthena-router writes no status; kthena-router ignores timeouts",
        ),
        ("example.com/new", "administrators set gatewayClasses in the settings"),
        (
            "networking.gke.io/gateway",
            "GKE Gateway rejects routes with timeouts; the timeoutSec of a GCPBackendPolicy limits answers",
        ),
        ("gateway.nginx.org/nginx-gateway-controller", "NGINX Gateway Fabric ignores timeouts"),
        ("openshift.io/gateway-controller/v1", "openshift.io/gateway-controller/v1 is taken for Istio"),
        ("gateway.envoyproxy.io/gatewayclass-controller", "Envoy Gateway ignores the pool's failureMode"),
    ],
)
def test_what_is_to_know_of_a_class_is_said_with_the_route(controller, words_):
    snapshot = world(controller, companion=MODEL_SERVER)
    accepted = tuple(replace(entry, controller="") for entry in snapshot.route.parents)
    snapshot = replace(snapshot, route=replace(snapshot.route, parents=accepted), pool=replace(snapshot.pool, parents=accepted))
    (link,) = [link for link in chain(snapshot, planned(snapshot).decisions) if link.name is LinkName.ROUTE]
    assert link.holds
    assert words_ in link.message


def applied(controller, settings=SETTINGS, **gateway_spec):
    """What the plan of a Workspace behind a Gateway of that class applies, by kind, and what the author is told."""
    record = workspace(quickstart(gateway=gateway_spec) if gateway_spec else quickstart())
    pools = {"named_pool": pool(), "route": None, "release": None}
    outcome = plan(record, with_accepted(world(controller, workloads=(), **pools), record, settings), settings)
    manifests = {step.manifest["kind"]: step.manifest for step in outcome.steps if isinstance(step, Apply)}
    return manifests, outcome.decisions.notes


def patched(release):
    """The kinds that Flux patches, with the specs that it gets."""
    patches = release["spec"]["postRenderers"][0]["kustomize"]["patches"]
    return {entry["target"]["kind"]: json.loads(entry["patch"])["spec"] for entry in patches}


def test_behind_a_class_that_rejects_timeouts_that_of_a_workspace_is_in_the_policy_of_the_chart():
    made, notes = applied("networking.gke.io/gateway", timeout="10m")
    assert "timeouts" not in made["HTTPRoute"]["spec"]["rules"][0]
    assert patched(made["HelmRelease"])["GCPBackendPolicy"] == {"default": {"timeoutSec": 600}}
    assert notes == ()
    made, _ = applied("networking.gke.io/gateway")
    assert patched(made["HelmRelease"])["GCPBackendPolicy"] == {"default": {"timeoutSec": 300}}
    made, _ = applied(ISTIO, timeout="10m")
    assert made["HTTPRoute"]["spec"]["rules"][0]["timeouts"] == {"request": "10m"}
    assert "GCPBackendPolicy" not in patched(made["HelmRelease"])


def test_when_the_gateway_s_class_changes_to_one_that_rejects_timeouts_the_route_follows():
    there = world(ISTIO)
    before = planned(there)
    rejecting = replace(there, gateway_classes=(gateway_class("c", "networking.gke.io/gateway"),))
    after = plan(workspace(), rejecting, SETTINGS, before.desired.planned)
    (made,) = [step.manifest for step in after.steps if isinstance(step, Apply) and step.manifest["kind"] == "HTTPRoute"]
    assert "timeouts" not in made["spec"]["rules"][0]


def test_behind_a_class_that_rejects_timeouts_that_of_a_user_s_pool_has_no_effect_which_is_told():
    made, notes = applied("networking.gke.io/gateway", pool={"ref": {"name": "mine"}}, timeout="10m")
    assert "HelmRelease" not in made
    assert [note.rpartition("; ")[2] for note in notes] == ["set timeoutSec in a GCPBackendPolicy for InferencePool default/mine"]


@pytest.mark.parametrize(("settings", "provider"), [(SETTINGS, "none"), (OWN_NAME, "istio")])
def test_the_settings_say_which_implementation_has_a_name_of_its_own(settings, provider):
    made, _ = applied("example.com/gateway-controller", settings)
    assert made["HelmRelease"]["spec"]["values"]["provider"]["name"] == provider


def test_the_chart_s_provider_is_that_of_the_first_gateway_which_needs_one():
    assert chart_provider([]) == "none"
    controllers = ("gateway.envoyproxy.io/gatewayclass-controller", ISTIO)
    assert chart_provider(find_profile(controller, {}) for controller in controllers) == "istio"
