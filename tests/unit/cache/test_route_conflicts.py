"""Who has what on a listener."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, derived, gateway, meta, parent
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.cache.route_conflicts import RouteClaimIndex, accepted_claims, claims_of
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.planning.gateway.route import http_route, routing
from workspace_ctrl.records.gateways import parse_http_route
from workspace_ctrl.records.listeners import Listener

PHI = RouteClaim("g/g", "http", "", "/", "X-Gateway-Model-Name=phi")
POET = RouteClaim("g/g", "http", "", "/", "X-Gateway-Model-Name=poet")
OLD, YOUNG, NEW = ("a", "old"), ("a", "young"), ("b", "new")


@pytest.fixture
def told():
    return []


@pytest.fixture
def index(told):
    filled = RouteClaimIndex(told.append)
    filled.set(YOUNG, "2026-02", frozenset({PHI, POET}))
    filled.set(OLD, "2026-01", frozenset({PHI}))
    return filled


def test_the_older_has_it_whoever_came_first(index, told):
    assert index.taken(YOUNG) == {PHI: OLD}
    assert index.taken(OLD) == {}
    assert told == [YOUNG]


def test_of_two_of_the_same_age_the_name_decides(index):
    index.set(NEW, "2026-01", frozenset({PHI}))
    assert index.taken(NEW) == {PHI: OLD}


def test_when_the_older_goes_or_lets_go_the_younger_is_told(index, told):
    index.set(OLD, "2026-01", frozenset({POET}))
    assert index.taken(YOUNG) == {POET: OLD}
    told.clear()
    index.forget(OLD)
    assert (index.taken(YOUNG), told) == ({}, [YOUNG])


def test_nobody_is_told_where_the_holder_stays(index, told):
    told.clear()
    index.set(NEW, "2026-03", frozenset({PHI}))
    assert index.taken(NEW) == {PHI: OLD}
    index.forget(NEW)
    assert told == []


def test_the_same_claims_are_nothing_new(index):
    assert not index.set(OLD, "2026-01", frozenset({PHI}))
    assert index.set(OLD, "2026-01", frozenset())
    assert not index.set(OLD, "2026-01", frozenset())


def test_a_workspace_that_was_made_anew_is_young(index, told):
    told.clear()
    index.set(OLD, "2026-09", frozenset({PHI}))
    assert index.taken(OLD) == {PHI: YOUNG}
    assert told == [YOUNG]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.frozensets(st.sampled_from([PHI, POET])))))
def test_in_whatever_order_things_happen_each_claim_has_its_oldest_claimant(changes):
    index, model = RouteClaimIndex(lambda _key: None), {}
    for number, created, claims in changes:
        index.set(("ns", f"w{number}"), str(created), claims)
        model["ns", f"w{number}"] = (str(created), claims)
    for claim in (PHI, POET):
        holder = min(((created, *key) for key, (created, claims) in model.items() if claim in claims), default=None)
        for key, (_, claims) in model.items():
            expected = holder[1:] if claim in claims and holder[1:] != key else None
            assert index.taken(key).get(claim) == expected


TWO_LISTENERS = gateway(listeners=(Listener("http", "HTTP", 80), Listener("https", "HTTPS", 443)))


@pytest.mark.parametrize(
    ("section", "about", "places"),
    [
        pytest.param("", {}, {"http", "https"}, id="all listeners"),
        pytest.param("https", {}, {"https"}, id="one by name"),
        pytest.param("", {"port": 80}, {"http"}, id="one by port"),
        pytest.param("", {"kind": "ListenerSet"}, set(), id="those of a ListenerSet of that name"),
    ],
)
def test_a_route_of_ours_tells_what_it_was_made_to_claim(section, about, places):
    spec = GatewaySpec.model_validate({"hostnames": ["h"], "match": {"header": True, "catchAll": True}})
    owner, chosen = meta("Workspace"), (parent(gateway=TWO_LISTENERS, section=section),)
    asked = routing(owner.ref, spec, derived().release, ("phi", "poet"), SETTINGS)
    raw = http_route(owner, derived(), chosen, asked)
    raw["spec"]["parentRefs"][0].update(about)
    route = parse_http_route(raw, "HTTPRoute")
    wanted = {claim for claim in asked.claims(chosen) if claim.listener in places}
    assert claims_of(route, {(NAMESPACE, "inference-gateway"): TWO_LISTENERS}.get) == wanted
    assert route.meta.ref.name == NAME


@pytest.mark.parametrize(
    ("accepted", "counts"),
    [({}, False), ({"inference-gateway": "False"}, False), ({"another": "True"}, False), ({"inference-gateway": "True"}, True)],
)
def test_the_route_of_another_shard_counts_where_a_gateway_has_accepted_it(accepted, counts):
    owner, chosen = meta("Workspace"), (parent(),)
    asked = routing(owner.ref, GatewaySpec.model_validate({"match": {"header": True}}), derived().release, ("phi",), SETTINGS)
    raw = http_route(owner, derived(), chosen, asked)
    raw["metadata"]["creationTimestamp"] = "2026-11-21T12:00:00Z"
    raw["status"] = {
        "parents": [
            {"parentRef": {"name": name, "namespace": NAMESPACE}, "conditions": [{"type": "Accepted", "status": status}]}
            for name, status in accepted.items()
        ]
    }
    route = parse_http_route(raw, "HTTPRoute")
    found = accepted_claims(route, {(NAMESPACE, "inference-gateway"): gateway()}.get)
    assert found == (asked.claims(chosen) if counts else frozenset())
    assert route.created == "2026-11-21T12:00:00Z"
