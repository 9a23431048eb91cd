"""Which requests lead to the pool, and what an older Workspace keeps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, derived, gateway, meta, parent
from workspace_ctrl.api.gateway_spec import Match
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.gateway.route import http_route, path_problem, routing, routing_problems, timeout_notes
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import ObjectRef

OWNER = meta("Workspace")
PATH = f"/{NAMESPACE}/{NAME}"
GATEWAY = f"{NAMESPACE}/inference-gateway"
MODELS = ("phi", "poet")
BY_MODEL = "X-Gateway-Model-Name"
BY_BASE = "X-Gateway-Base-Model-Name"


def wanted(models=MODELS, **spec):
    return routing(OWNER.ref, GatewaySpec.model_validate(spec), "pool", models, SETTINGS)


def rules(asked, *parents):
    return http_route(OWNER, derived(), parents or (parent(),), asked)["spec"]["rules"]


def headers(rule):
    return [(match["headers"][0]["name"], match["headers"][0]["value"]) for match in rule["matches"]]


def test_by_default_only_the_path_leads_to_the_model():
    (rule,) = rules(wanted())
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": PATH}}]
    assert rule["timeouts"] == {"request": "300s"}


def test_a_path_of_one_s_own_is_taken_off_and_the_root_is_left_as_it_is():
    (rule,) = rules(wanted(match={"path": "/team-a/phi"}))
    assert rule["matches"][0]["path"]["value"] == "/team-a/phi"
    assert rule["filters"][0]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    (rule,) = rules(wanted(match={"path": "/", "catchAll": True}))
    assert "filters" not in rule


def test_headers_name_the_model_its_adapters_and_the_base_model():
    _, rule = rules(wanted(match={"header": True}))
    assert headers(rule) == [(BY_MODEL, "phi"), (BY_MODEL, "poet"), (BY_BASE, "phi")]
    assert {match["path"]["value"] for match in rule["matches"]} == {"/"}
    assert len(rules(wanted((), match={"header": True}))) == 1  # nobody knows the names yet


def test_a_catch_all_comes_last():
    *_, rule = rules(wanted(match={"header": True, "catchAll": True}))
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert "filters" not in rule


@pytest.mark.parametrize(
    ("spec", "timeouts"),
    [
        pytest.param({}, {"request": "300s"}, id="the installation's"),
        pytest.param({"timeout": "10m"}, {"request": "10m"}, id="its own"),
        pytest.param({"timeout": "0s"}, {"request": "0s"}, id="no limit"),
        pytest.param({"timeout": None}, None, id="null: the Gateway's"),
        pytest.param({"timeout": "none"}, None, id="none: the Gateway's"),
    ],
)
def test_timeouts(spec, timeouts):
    assert rules(wanted(**spec))[0].get("timeouts") == timeouts


GKE = parent(class_title="GKE Gateway", takes_timeouts=False, timeout_policy="GCPBackendPolicy")
OTHER = parent(gateway=gateway("other"))
POOL = ObjectRef("InferencePool", NAMESPACE, "mine")


@pytest.mark.parametrize("parents", [(GKE,), (OTHER, GKE)])
def test_a_route_to_a_class_that_rejects_timeouts_has_none(parents):
    made = rules(wanted(timeout="10m", match={"header": True, "catchAll": True}), *parents)
    assert len(made) == 3
    assert all("timeouts" not in rule for rule in made)


@pytest.mark.parametrize(
    ("parents", "pool", "timeout", "expected"),
    [
        pytest.param((GKE,), None, "10m", [], id="the chart has a policy"),
        pytest.param((OTHER,), POOL, "10m", [], id="no class rejects it"),
        pytest.param((GKE,), POOL, "none", [], id="no timeout"),
        pytest.param((GKE,), POOL, "10m", [f"set timeoutSec in a GCPBackendPolicy for {POOL}"], id="nobody makes the policy"),
        pytest.param((GKE, OTHER), None, "10m", [f"the default of {OTHER.gateway.ref} applies there"], id="two classes"),
    ],
)
def test_a_timeout_without_effect_is_told(parents, pool, timeout, expected):
    found = list(timeout_notes(wanted(timeout=timeout), parents, pool))
    assert len(found) == len(expected)
    for note, words in zip(found, expected, strict=True):
        assert note.startswith(
            "timeout 10m is left out of the route, because GKE Gateway (Gateway default/inference-gateway) rejects it; "
        )
        assert words in note


def test_host_names_and_several_gateways():
    gateways = (parent(), parent(gateway=gateway("other"), section="https"))
    spec = http_route(OWNER, derived(), gateways, wanted(hostnames=["m.example.com", "m.example.com"]))["spec"]
    assert spec["hostnames"] == ["m.example.com"]
    assert [(entry["name"], entry.get("sectionName")) for entry in spec["parentRefs"]] == [
        ("inference-gateway", None),
        ("other", "https"),
    ]


@given(st.integers(0, 300), st.booleans())
def test_the_limits_of_a_route_are_kept_whatever_the_number_of_names(count, catch_all):
    models = tuple(f"m{number}" for number in range(count))
    asked = wanted(models, match={"header": True, "catchAll": catch_all})
    made = rules(asked)
    assert len(made) <= 16
    assert all(1 <= len(rule["matches"]) <= 64 for rule in made)
    assert sum(len(rule["matches"]) for rule in made) <= 128
    routed = {value for rule in made for match in rule["matches"] for value in [match.get("headers", [{}])[0].get("value")]}
    told = [problem.reason for problem in routing_problems(asked, models, {}, ())]
    assert ("TooManyModelNames" in told) == (not set(models) <= routed)


WILDCARD = "*.example.com"
LISTENERS = (Listener("http", "HTTP", 80), Listener("https", "HTTPS", 443), Listener("tcp", "TCP", 1))
BOTH = parent(gateway=gateway(listeners=LISTENERS))


@pytest.mark.parametrize(
    ("hostnames", "claimed"),
    [([], {WILDCARD}), ([WILDCARD], {WILDCARD}), (["a.example.com", "other.org"], {"a.example.com"}), (["*.com"], {WILDCARD})],
)
def test_the_host_names_of_the_listener_are_claimed_however_they_are_written(hostnames, claimed):
    listening = parent(gateway=gateway(listeners=(Listener("http", "HTTP", 80, WILDCARD),)))
    assert {claim.hostname for claim in wanted(hostnames=hostnames).claims([listening])} == claimed


def test_what_is_claimed_is_told_listener_by_listener():
    asked = wanted(("phi",), hostnames=["h"], match={"header": True, "catchAll": True})
    assert asked.claims([parent(gateway=gateway(listeners=LISTENERS), section="https")]) == {
        RouteClaim(GATEWAY, "https", "h", PATH),
        RouteClaim(GATEWAY, "https", "h", "/", f"{BY_MODEL}=phi"),
        RouteClaim(GATEWAY, "https", "h", "/", f"{BY_BASE}=phi"),
        RouteClaim(GATEWAY, "https", "h", "/"),
    }
    assert {claim.listener for claim in asked.claims([BOTH])} == {"http", "https"}
    assert asked.claims([]) == frozenset()


@pytest.mark.parametrize(
    ("claim", "reason", "words", "left"),
    [
        pytest.param(
            RouteClaim(GATEWAY, "http", "", "/", f"{BY_MODEL}=phi"),
            "ModelNameConflict",
            "phi on listener http of Gateway default/inference-gateway are already routed to Workspace a/older, which is older",
            [1, 2, 1],
            id="model name",
        ),
        pytest.param(RouteClaim(GATEWAY, "http", "", PATH), "PathConflict", f"under {PATH} on", [3, 1], id="path"),
        pytest.param(RouteClaim(GATEWAY, "http", "", "/"), "CatchAllConflict", "unmatched requests", [1, 3], id="catch-all"),
    ],
)
def test_what_an_older_workspace_claims_is_left_to_it(claim, reason, words, left):
    asked, taken = wanted(match={"header": True, "catchAll": True}), {claim: "Workspace a/older"}
    (problem,) = routing_problems(asked, MODELS, taken, ())
    assert problem.reason == reason
    assert words in problem.message
    assert [len(rule["matches"]) for rule in rules(asked.without(taken))] == left


def test_all_that_conflicts_is_told():
    claims = [RouteClaim(GATEWAY, "http", "", PATH), RouteClaim(GATEWAY, "http", "", "/", f"{BY_MODEL}=phi")]
    (problem,) = routing_problems(wanted(match={"header": True}), MODELS, dict.fromkeys(claims, "Workspace a/older"), ())
    assert f"requests under {PATH} on" in problem.message
    assert f"requests with {BY_MODEL}: phi on" in problem.message
    many = {RouteClaim(GATEWAY, f"l{number}", "", PATH): "Workspace a/older" for number in range(9)}
    (problem,) = routing_problems(wanted(), MODELS, many, ())
    assert problem.message.endswith("; and 4 more")


SHARED = parent(gateway=gateway(namespace="gateways"))


@pytest.mark.parametrize("path", ["/team-b/phi", "/team-b/phi/v1/chat", "/team-b", "/v1", f"/{NAMESPACE}2/phi"])
def test_on_another_namespace_s_gateway_a_path_of_another_namespace_is_refused(path):
    problem = path_problem(OWNER.ref, wanted(match={"path": path}), (parent(), SHARED), SETTINGS)
    assert (problem.reason, problem.terminal, problem.field) == ("PathNotAllowed", True, "gateway.match.path")
    assert problem.message.startswith(
        f"gateway.match.path {path} is not under /{NAMESPACE}, the prefix of the Workspace's namespace on "
    )


@pytest.mark.parametrize(
    ("path", "parents", "shared"),
    [
        pytest.param(None, (SHARED,), (), id="the default path"),
        pytest.param(f"/{NAMESPACE}/other", (SHARED,), (), id="under its own prefix"),
        pytest.param(f"/{NAMESPACE}", (SHARED,), (), id="its own prefix"),
        pytest.param("/", (SHARED,), (), id="the rest: a catch-all"),
        pytest.param("/team-b/phi", (parent(),), (), id="its own Gateway"),
        pytest.param("/models/phi", (SHARED,), ("/models",), id="the settings allow it"),
        pytest.param("/team-b/phi", (SHARED,), ("/",), id="the settings allow every path"),
    ],
)
def test_paths_that_a_workspace_may_have(path, parents, shared):
    asked = wanted(match={"path": path} if path else {})
    assert path_problem(OWNER.ref, asked, parents, replace(SETTINGS, shared_paths=shared)) is None


def test_when_nothing_is_left_nothing_leads_anywhere():
    asked = wanted()
    assert asked.leads_anywhere
    assert not asked.without({RouteClaim(GATEWAY, "http", "", PATH): ("a", "older")}).leads_anywhere
    assert Match().path is None
