"""The gateway side of a plan: claims of others, and routes and pools of others."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
    PICKER_NOT_FOUND,
    PICKER_SERVICE,
    SETTINGS,
    condition,
    derived,
    gateway,
    meta,
    missed_pool,
    parent_status,
    pool,
    quickstart,
    route,
    workspace,
)
from tests.unit.planning.test_plan import finished, manifests, with_accepted, words
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.route_claims import RouteClaim, TakenClaims
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.steps import SetFinalizer
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.gateways import HTTPRoute, RouteMatch, RouteRule
from workspace_ctrl.records.listeners import ParentReference

GATEWAY = f"{NAMESPACE}/inference-gateway"
PATH = f"/{NAMESPACE}/{NAME}"
OURS = derived().release
MODEL = "phi-4-mini-instruct"


def asking(**gateway_spec):
    return workspace(quickstart(gateway=gateway_spec))


def planned(record, snapshot):
    return plan(record, snapshot, SETTINGS)


def reasons(outcome):
    return [problem.reason for problem in outcome.decisions.problems]


def named(*matches, pools=(OURS,)):
    return HTTPRoute(
        meta("HTTPRoute", "mine", owner=""),
        parents=route().parents,
        hostnames=("m.example.com",),
        attached_to=(ParentReference(gateway().ref),),
        rules=(RouteRule(matches or (RouteMatch("/m/"),), pools),),
    )


def test_every_workspace_claims_its_path():
    assert planned(workspace(), finished()).desired.claims == {RouteClaim(GATEWAY, "http", "", PATH)}
    assert planned(workspace(quickstart(gateway={"enabled": False})), finished()).desired.claims == frozenset()
    assert planned(workspace(deleting=True), finished()).desired.claims == frozenset()


def test_a_workspace_whose_spec_has_become_invalid_keeps_its_claims():
    assert planned(workspace(quickstart(inference={"preset": {"name": "no-such-model"}})), finished()).desired.claims is None


def test_a_workspace_that_is_being_refused_keeps_its_claims():
    assert planned(workspace(), replace(finished(), workloads=())).desired.claims == {RouteClaim(GATEWAY, "http", "", PATH)}


def test_a_route_that_leads_nowhere_any_more_goes():
    taken = {RouteClaim(GATEWAY, "http", "", PATH): "Workspace a/older"}
    outcome = planned(workspace(), replace(finished(), taken=TakenClaims(taken)))
    assert words(outcome) == ["delete HTTPRoute"]
    assert reasons(outcome) == ["PathConflict"]


REQUEST = "workspace-ctrl/pool-status-requested"


def asked(snapshot):
    """The request for a status of the pool that the applied HTTPRoute has; empty for none, None if no route is applied."""
    outcome = planned(workspace(), snapshot)
    assert words(outcome) in (["force HTTPRoute"], [])
    return next((step.manifest["metadata"]["annotations"].get(REQUEST, "") for step in outcome.steps), None)


def as_applied(snapshot):
    """The world after the route that is due was applied."""
    (step,) = planned(workspace(), snapshot).steps
    request = step.manifest["metadata"]["annotations"].get(REQUEST, "")
    return replace(snapshot, route=replace(route(hash_=applied_hash(step.manifest)), status_request=request))


def test_a_status_that_still_misses_a_service_that_exists_is_asked_for_once_by_the_route():
    outdated = replace(finished(), pool=missed_pool(), parts=PICKER_SERVICE)
    assert asked(outdated) == "generation-1"
    requested = as_applied(outdated)
    assert asked(requested) is None
    late = replace(requested, ages=StageAges(pool_status=60.0))
    assert asked(replace(requested, ages=StageAges(attachment=60.0, pool_status=59.9))) is None
    assert asked(late) == "generation-1-again"
    restarted = replace(as_applied(late), ages=StageAges())
    assert asked(restarted) is None
    anew = parent_status(condition("Accepted", generation=2), replace(PICKER_NOT_FOUND, observed_generation=2))
    assert asked(replace(restarted, pool=missed_pool(anew, generation=2))) == "generation-2"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"pool": missed_pool(parent_status())}, id="found"),
        pytest.param({"parts": {}}, id="the Service is gone"),
    ],
)
def test_a_request_ends_with_its_reason(change):
    requested = as_applied(replace(finished(), pool=missed_pool(), parts=PICKER_SERVICE))
    assert asked(replace(requested, **change)) == ""


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"pool": missed_pool(), "parts": {}}, id="a Service that does not exist"),
        pytest.param({"pool": missed_pool(), "parts": {chart_object_id("Service", "other"): 1}}, id="another Service"),
        pytest.param({"pool": missed_pool(parent_status()), "parts": PICKER_SERVICE}, id="found"),
        pytest.param({"pool": missed_pool(generation=2), "parts": PICKER_SERVICE}, id="said of an older pool"),
        pytest.param(
            {"pool": missed_pool(parent_status(PICKER_NOT_FOUND, controller="foreign/x")), "parts": PICKER_SERVICE},
            id="another controller's words",
        ),
        pytest.param({"pool": replace(missed_pool(), picker_service=""), "parts": PICKER_SERVICE}, id="a picker of another kind"),
    ],
)
def test_nothing_is_asked_for_without_that_reason(world):
    assert asked(replace(finished(), **world)) is None


def test_a_user_s_route_is_not_asked_to_change():
    record = asking(httpRouteRef={"name": "mine"})
    outcome = planned(record, replace(finished(), named_route=named(), route=None, pool=missed_pool(), parts=PICKER_SERVICE))
    assert words(outcome) == []


def test_a_path_of_another_namespace_is_not_routed_and_the_model_server_stays():
    shared = gateway("public", namespace="gateways")
    record = asking(parentRefs=[{"name": "public", "namespace": "gateways"}], match={"path": "/team-b/phi/v1/chat"})
    outcome = planned(record, replace(finished(), gateways=(shared,)))
    assert words(outcome) == ["delete HTTPRoute"]
    assert reasons(outcome) == ["PathNotAllowed"]
    assert outcome.desired.claims == frozenset()


TEMPLATE = {"template": {"spec": {"containers": [{"name": "server", "image": "any", "ports": [{"containerPort": 80}]}]}}}
REPORTED = ProbeResult(ProbeOutcome.ANSWERED, models=("gpt", "phi"))


def headers_claimed(settings=SETTINGS, **fields):
    """The headers that a template Workspace claims whose server reports gpt and phi, and why it claims none."""
    record = workspace(quickstart(inference=TEMPLATE, gateway={"match": {"header": True}, **fields}))
    world = with_accepted(replace(finished(), workloads=(), probe=REPORTED), record, settings)
    outcome = plan(record, world, settings)
    assert set(outcome.decisions.model_names) >= {"gpt", "phi"}
    return {claim.header for claim in outcome.desired.claims if claim.header}, reasons(outcome)


def test_names_that_only_a_server_reports_are_shown_and_not_matched():
    assert headers_claimed() == (set(), ["ModelNameNotSpecified"])


@pytest.mark.parametrize(
    ("models", "end"), [(("gpt", "phi"), "; the model server reports gpt"), (("phi",), "; the model server reports phi"), ((), "")]
)
def test_the_problem_names_what_the_server_reports(models, end):
    record = workspace(quickstart(inference=TEMPLATE, gateway={"match": {"header": True}}))
    probe = replace(REPORTED, models=models)
    (problem,) = plan(
        record, with_accepted(replace(finished(), workloads=(), probe=probe), record, SETTINGS), SETTINGS
    ).decisions.problems
    assert problem.message == f"gateway.match.header needs the name of the model in the spec; set gateway.modelName{end}"


def test_of_the_names_only_the_one_in_the_spec_is_matched():
    assert headers_claimed(modelName="phi") == ({"X-Gateway-Model-Name=phi", "X-Gateway-Base-Model-Name=phi"}, [])


def test_reported_names_are_matched_where_the_installation_allows_it():
    allowing = replace(SETTINGS, match_reported_names=True)
    claimed = {"X-Gateway-Model-Name=gpt", "X-Gateway-Model-Name=phi", "X-Gateway-Base-Model-Name=gpt"}
    assert headers_claimed(allowing) == (claimed, [])


def test_where_the_installation_allows_reported_names_the_server_is_first_asked_for_them():
    record = workspace(quickstart(inference=TEMPLATE, gateway={"match": {"header": True}}))
    allowing = replace(SETTINGS, match_reported_names=True)
    world = with_accepted(replace(finished(), workloads=()), record, allowing)
    assert reasons(plan(record, world, allowing)) == []


def test_too_many_references_are_told_before_the_objects_that_are_not_watched_for_that():
    outcome = planned(asking(httpRouteRef={"name": "mine"}), replace(finished(), excess_references="too many"))
    assert (words(outcome), reasons(outcome)) == ([], ["TooManyReferences", "HTTPRouteNotFound"])


def test_a_conflict_on_a_listener_that_is_used_no_more_is_none():
    taken = {RouteClaim("another/one", "http", "", PATH): "Workspace a/older"}
    outcome = planned(workspace(), replace(finished(), taken=TakenClaims(taken)))
    assert (words(outcome), reasons(outcome)) == ([], [])


def test_somebody_else_s_route_is_checked_and_ours_goes_when_it_is_right():
    record, world = asking(httpRouteRef={"name": "mine"}), finished()
    waiting = planned(record, world)
    assert (words(waiting), reasons(waiting)) == ([], ["HTTPRouteNotFound"])
    outcome = planned(record, replace(world, named_route=named()))
    assert (words(outcome), reasons(outcome)) == (["delete HTTPRoute"], [])
    assert outcome.desired.dependencies.route == "mine"
    assert outcome.desired.claims == frozenset()
    decided = outcome.decisions
    assert (decided.path, decided.hostnames, decided.parents[0].gateway) == ("/m", ("m.example.com",), gateway())
    assert words(planned(record, replace(world, named_route=named(), route=None))) == []


@pytest.mark.parametrize(
    ("live", "words_"),
    [
        pytest.param(
            named(pools=()), f"does not route to {OURS} (its InferencePools: none); add to a rule: backendRefs:", id="nowhere"
        ),
        pytest.param(named(pools=("other",)), "(its InferencePools: other)", id="to another pool"),
        pytest.param(
            named(RouteMatch(headers=("X-Gateway-Model-Name=gpt",))),
            f"routes only requests for gpt to {OURS}, but the model name is {MODEL}",
            id="for another model",
        ),
    ],
)
def test_somebody_else_s_route_that_does_not_lead_here_is_said_and_ours_stays(live, words_):
    outcome = planned(asking(httpRouteRef={"name": "mine"}), replace(finished(), named_route=live))
    assert words(outcome) == []
    (problem,) = outcome.decisions.problems
    assert (problem.link, problem.reason) == (LinkName.ROUTE, "RefsInvalid")
    assert words_ in problem.message


def test_pools_beside_ours_in_somebody_else_s_route_are_depended_on_before_they_exist():
    live = replace(named(), rules=(*named(pools=(OURS, "second", "first")).rules, *named(pools=("unrelated",)).rules))
    outcome = planned(asking(httpRouteRef={"name": "mine"}), replace(finished(), named_route=live))
    assert outcome.desired.dependencies.sibling_pools == ("first", "second")


def test_a_header_with_the_model_s_name_is_right_however_it_is_written():
    live = named(RouteMatch(headers=(f"x-gateway-model-name={MODEL}",)))
    outcome = planned(asking(httpRouteRef={"name": "mine"}), replace(finished(), named_route=live))
    assert (reasons(outcome), outcome.decisions.path) == ([], "")


def test_somebody_else_s_pool_takes_the_place_of_the_chart():
    record, world = asking(pool={"ref": {"name": "theirs"}}), finished()
    waiting = planned(record, replace(world, release=None, source=None, pool=None, route=None))
    assert words(waiting) == ["remove finalizer"]
    assert reasons(waiting) == ["InferencePoolNotFound"]
    theirs = replace(pool(), meta=meta("InferencePool", "theirs", owner=""))
    outcome = planned(record, replace(world, named_pool=theirs))
    assert words(outcome) == ["delete HelmRelease", "force HTTPRoute"]
    assert outcome.desired.dependencies.pool == "theirs"
    (manifest,) = [step.manifest for step in outcome.steps if not words_of_removal(step) and step.manifest["kind"] == "HTTPRoute"]
    assert manifest["spec"]["rules"][0]["backendRefs"][0]["name"] == "theirs"


def words_of_removal(step):
    return isinstance(step, SetFinalizer) or not hasattr(step, "manifest")


def test_the_labels_and_the_deletion_of_the_namespace_matter():
    world = with_accepted(Snapshot(gateways=(gateway(),), gateway_classes=finished().gateway_classes))
    assert planned(workspace(), world).desired.dependencies.namespace
    assert planned(workspace(quickstart(gateway={"enabled": False})), world).desired.dependencies.namespace


def test_an_installation_without_conflicts_makes_the_same_route_for_everybody():
    assert manifests()["HTTPRoute"]["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": PATH}}]
