"""On which listeners and host names the list of models is, and that it takes no request from anything else."""

import pytest

from tests.unit.factories import applied_fields, gateway, meta
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.model.model_index import INDEX_HEADER, IndexState
from workspace_ctrl.model.route_claims import RoutePlace
from workspace_ctrl.planning.gateway.model_index import IndexInputs, index_key, index_route_name, is_as, plan_index
from workspace_ctrl.planning.plan_settings import ModelIndexSettings
from workspace_ctrl.records.core_v1 import Namespace
from workspace_ctrl.records.gateways import parse_http_route
from workspace_ctrl.records.listeners import Listener, ParentReference, RoutesFrom
from workspace_ctrl.records.meta import ObjectRef, parse_meta
from workspace_ctrl.records.other_routes import parse_other_route
from workspace_ctrl.records.selectors import parse_selector

SETTINGS = ModelIndexSettings(enabled=True, service_namespace="system", service="ctrl-models")
OWNER = meta("Service", "ctrl-models", namespace="system", owner="")
SHARED = "gateways/shared"
GKE = "networking.gke.io/gateway"
HTTP = Listener("http", "HTTP", 80, routes_from=RoutesFrom.ALL)
HTTPS = Listener("https", "HTTPS", 443, routes_from=RoutesFrom.ALL)


def shared(*listeners, **fields):
    return gateway("shared", namespace="gateways", listeners=listeners or (HTTP,), **fields)


def inputs(*gateways, others=(), controller="istio.io/gateway-controller", namespaces=()):
    return IndexInputs(
        {entry.key: entry for entry in gateways or (shared(),)},
        {"istio": find_profile(controller, {})},
        {name: Namespace(meta("Namespace", name, namespace=""), labels) for name, labels in namespaces},
        tuple(others),
    )


def places(*hostnames, listener="http", gateway_key=SHARED):
    return {RoutePlace(gateway_key, listener, hostname) for hostname in hostnames or ("",)}


def plan(with_models, given=None, without_rest=(), settings=SETTINGS):
    return plan_index(settings, OWNER, with_models, without_rest, given or inputs())


def attachments(result):
    """(listeners, host names) of each route."""
    return [
        (tuple(entry["sectionName"] for entry in route["spec"]["parentRefs"]), tuple(route["spec"].get("hostnames", ())))
        for route in result.routes
    ]


def other(path=None, *, section="", about=None, hostnames=(), namespace="team", labels=None, **match):
    parent = {"name": "shared", "namespace": "gateways", **(about or {})} | ({"sectionName": section} if section else {})
    matches = [({"path": path} if path else {}) | match]
    return parse_other_route(
        {
            "metadata": {"name": "web", "namespace": namespace, "uid": "w", "labels": labels or {}},
            "spec": {"parentRefs": [parent], "hostnames": list(hostnames), "rules": [{"matches": matches}]},
        },
        "HTTPRoute",
    )


def prefix(value):
    return {"type": "PathPrefix", "value": value}


def test_the_route_matches_least_of_all_tells_the_gateway_and_goes_with_the_service():
    (route,) = plan(places()).routes
    (rule,) = route["spec"]["rules"]
    assert rule["matches"] == [{"path": prefix("/")}]
    header = {"name": INDEX_HEADER, "value": index_key(OWNER.uid, SHARED)}
    assert rule["filters"] == [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "ctrl-models", "port": 80}]
    assert route["metadata"]["namespace"] == "system"
    assert [owner["uid"] for owner in route["metadata"]["ownerReferences"]] == [OWNER.uid]
    assert parse_http_route(route, "HTTPRoute").attached_to == (
        ParentReference(ObjectRef("Gateway", "gateways", "shared"), "http"),
    )


@pytest.mark.parametrize(("controller", "timeouts"), [("istio.io/gateway-controller", {"request": "10s"}), (GKE, None)])
def test_a_class_that_rejects_routes_with_timeouts_gets_none(controller, timeouts):
    (route,) = plan(places(), inputs(controller=controller)).routes
    assert route["spec"]["rules"][0].get("timeouts") == timeouts


def test_a_gateway_without_models_has_no_list():
    result = plan(places(), inputs(shared(), gateway("other")))
    assert [route["spec"]["parentRefs"][0]["name"] for route in result.routes] == ["shared"]
    assert result.states == {SHARED: IndexState.ATTACHED}


def test_the_list_is_where_models_are():
    given = inputs(shared(HTTP, HTTPS))
    with_models = places("") | places("", "a.example.com", listener="https")
    assert sorted(attachments(plan(with_models, given))) == [(("http", "https"), ()), (("https",), ("a.example.com",))]


def test_many_host_names_are_divided_among_routes_and_limited():
    names = [f"m{number:03}.example.com" for number in range(300)]
    few, many = plan(places(*names[:20])), plan(places(*names))
    assert [len(hostnames) for _, hostnames in attachments(few)] == [16, 4]
    assert few.states[SHARED] is IndexState.ATTACHED
    assert len(many.routes) == 16
    assert many.states[SHARED] is IndexState.TOO_MANY_HOSTNAMES
    assert len({route["metadata"]["name"] for route in many.routes}) == 16
    assert [plan(places(*names[:count])).states[SHARED] for count in (256, 257)] == [
        IndexState.ATTACHED,
        IndexState.TOO_MANY_HOSTNAMES,
    ]


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        pytest.param("", [], id="for any host name, which includes all"),
        pytest.param("a.example.com", [""], id="for a host name"),
        pytest.param("*.example.com", [""], id="for a wildcard"),
        pytest.param("b.example.com", ["", "a.example.com"], id="for a host name without models"),
    ],
)
def test_where_a_model_takes_the_rest_there_is_no_list(taken, wanted):
    result = plan(places("", "a.example.com"), without_rest=places(taken))
    assert sorted(hostname for _, hostnames in attachments(result) for hostname in hostnames or ("",)) == wanted
    assert result.states[SHARED] is (IndexState.ATTACHED if len(wanted) == 2 else IndexState.TAKEN)


@pytest.mark.parametrize(
    ("route", "is_taken"),
    [
        pytest.param(other(), True, id="a route without matches"),
        pytest.param(other(prefix("/")), True, id="a route for all paths"),
        pytest.param(other(prefix("/"), section="http"), True, id="a route for a listener"),
        pytest.param(
            other({"type": "RegularExpression", "value": "/a|/b"}), True, id="a regular expression, which Istio orders last"
        ),
        pytest.param(other(prefix("/v1/models")), False, id="a longer path goes first anyway"),
        pytest.param(other({"type": "Exact", "value": "/"}), False, id="a whole path goes first anyway"),
        pytest.param(other(prefix("/"), method="GET"), False, id="a method goes first anyway"),
        pytest.param(other(prefix("/"), headers=[{"name": "a", "value": "b"}]), False, id="a header goes first anyway"),
        pytest.param(other(prefix("/"), section="https"), False, id="another listener"),
        pytest.param(other(prefix("/"), about={"port": 80}), True, id="its port"),
        pytest.param(other(prefix("/"), about={"port": 443}), False, id="another port"),
        pytest.param(other(prefix("/"), about={"kind": "ListenerSet"}), False, id="listeners of a ListenerSet of that name"),
        pytest.param(other(prefix("/"), hostnames=["web.example.com"]), False, id="a host name of its own goes first anyway"),
        pytest.param(
            other(prefix("/"), labels={"workspace-ctrl/model-index": "ctrl-models"}), True, id="a label does not make it ours"
        ),
        pytest.param(
            other(prefix("/"), namespace="system", labels={"workspace-ctrl/model-index": "ctrl-models"}), False, id="our own"
        ),
    ],
)
def test_the_list_yields_to_routes_of_others(route, is_taken):
    result = plan(places(), inputs(shared(HTTP, HTTPS), others=[route]))
    assert (result.routes == ()) is is_taken


def test_a_route_that_no_listener_accepts_does_not_remove_the_list():
    listener = Listener("http", "HTTP", 80, routes_from=RoutesFrom.SELECTOR, selector=selector("team", "a"))
    allowed = inputs(shared(listener), others=[other(prefix("/"))], namespaces=[("system", {"team": "a"}), ("team", {"team": "b"})])
    assert len(plan(places(), allowed).routes) == 1


def test_a_route_that_a_listener_may_accept_is_yielded_to():
    listener = Listener("http", "HTTP", 80, routes_from=RoutesFrom.SELECTOR, selector=selector("team", "a"))
    given = inputs(shared(listener), others=[other(prefix("/"))], namespaces=[("system", {"team": "a"})])
    assert plan(places(), given).routes == ()
    assert len(plan(places(), inputs(shared(listener), namespaces=[("system", {"team": "a"})])).routes) == 1
    assert plan(places(), inputs(shared(listener))).states == {SHARED: IndexState.NOT_ALLOWED}


def selector(key, value):
    return parse_selector({"matchLabels": {key: value}})


def test_a_listener_that_does_not_accept_the_route_is_left_out_and_told():
    same = Listener("same", "HTTP", 8080, routes_from=RoutesFrom.SAME)
    result = plan(places() | places(listener="same"), inputs(shared(HTTP, same)))
    assert attachments(result) == [(("http",), ())]
    assert result.states == {SHARED: IndexState.NOT_ALLOWED}
    assert plan(places(listener="same"), inputs(shared(same))).routes == ()


def test_a_class_that_routes_to_pools_only_has_no_list():
    result = plan(places(), inputs(controller="volcano.sh/kthena-router"))
    assert (result.routes, result.states) == ((), {SHARED: IndexState.NOT_SUPPORTED})


def test_a_place_without_listener_or_gateway_is_none():
    result = plan(places(listener="gone") | places(gateway_key="gateways/gone"))
    assert (result.routes, result.states) == ((), {SHARED: IndexState.ATTACHED})


def test_a_route_that_was_applied_is_not_applied_again():
    (route,) = plan(places()).routes
    route["metadata"] |= {"managedFields": [applied_fields(route)]}
    assert is_as(route, parse_meta(route, "HTTPRoute"))
    (other_route,) = plan(places("a.example.com")).routes
    assert not is_as(other_route, parse_meta(route, "HTTPRoute"))
    partly = applied_fields({"metadata": {"annotations": route["metadata"]["annotations"]}})
    changed = route | {"metadata": route["metadata"] | {"managedFields": [partly]}}
    assert not is_as(route, parse_meta(changed, "HTTPRoute"))  # somebody else owns its spec now
    annotations = dict.fromkeys(route["metadata"]["annotations"], "another")
    former = route | {"metadata": route["metadata"] | {"annotations": annotations}}
    assert not is_as(route, parse_meta(former, "HTTPRoute"))


def test_names_and_keys_are_those_of_one_gateway():
    assert index_route_name("s", "a/gw", 0) != index_route_name("s", "b/gw", 0)
    assert len(index_route_name("s" * 63, f"a/{'g' * 253}", 15)) <= 253
    assert len({index_key(uid, key) for uid in ("u", "v") for key in ("a/gw", "b/gw")}) == 4
