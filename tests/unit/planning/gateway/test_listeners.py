"""Whether listeners take the route of a Workspace, and what would have to be written where they do not."""

import pytest
import yaml

from tests.unit.factories import gateway, meta
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.gateway.listeners import find_listeners
from workspace_ctrl.records.core_v1 import Namespace
from workspace_ctrl.records.listeners import ParentReference, parse_listener

NAME = "kubernetes.io/metadata.name"
TEAM = Namespace(meta("Namespace", "team-a", namespace=""), {NAME: "team-a", "team": "a"})


def listener(name="http", protocol="HTTP", hostname="", **allowed):
    return parse_listener({"name": name, "protocol": protocol, "port": 80, "hostname": hostname, "allowedRoutes": allowed})


def selecting(**selector):
    return listener(namespaces={"from": "Selector", "selector": selector})


def named(namespace):
    return {NAME: namespace}


def by_name(*namespaces):
    return {"matchExpressions": [{"key": NAME, "operator": "In", "values": list(namespaces)}]}


def listener_problem(*listeners, section="", port=0, namespace="team-a", hostnames=(), live=TEAM):
    shared = gateway(namespace="gateways", listeners=listeners)
    found = find_listeners(shared, ParentReference(shared.ref, section, port), namespace, hostnames, live)
    return found if isinstance(found, Problem) else None


ALL = listener(namespaces={"from": "All"})


@pytest.mark.parametrize(
    ("listeners", "namespace"),
    [
        pytest.param((ALL,), "team-a", id="all"),
        pytest.param((listener(),), "gateways", id="its own namespace, which is the default"),
        pytest.param((selecting(matchLabels={"team": "a"}),), "team-a", id="labels"),
        pytest.param((selecting(),), "team-a", id="an empty selector"),
        pytest.param(
            (selecting(matchExpressions=[{"key": "team", "operator": "In", "values": ["a", "b"]}]),), "team-a", id="one of"
        ),
        pytest.param((selecting(matchExpressions=[{"key": "team", "operator": "Exists"}]),), "team-a", id="there"),
        pytest.param((selecting(matchExpressions=[{"key": "x", "operator": "DoesNotExist"}]),), "team-a", id="not there"),
        pytest.param((selecting(matchExpressions=[{"key": "x", "operator": "NotIn", "values": ["a"]}]),), "team-a", id="none of"),
        pytest.param((listener("closed"), ALL), "team-a", id="one of two listeners"),
        pytest.param((listener(namespaces={"from": "All"}, kinds=[{"kind": "HTTPRoute"}]),), "team-a", id="named kind"),
    ],
)
def test_a_listener_takes_the_route(listeners, namespace):
    assert listener_problem(*listeners, namespace=namespace) is None


@pytest.mark.parametrize(
    ("closed", "words", "before"),
    [
        pytest.param(listener(), "from namespace gateways only", ["gateways"], id="same, which is the default"),
        pytest.param(listener(namespaces={"from": "None"}), "from no namespace", [], id="none"),
        pytest.param(selecting(matchLabels=named("team-b")), "from namespace team-b only", ["team-b"], id="one by its name"),
        pytest.param(
            selecting(**by_name("gateways", "team-b")),
            "from namespaces gateways, team-b only",
            ["gateways", "team-b"],
            id="some by name",
        ),
    ],
)
def test_a_listener_that_does_not_is_reported_with_the_line_that_would_and_locks_nobody_out(closed, words, before):
    found = listener_problem(closed)
    assert found.reason == "NotAllowedByListeners"
    assert f"accepts routes {words}; to allow team-a, set" in found.message
    line = yaml.safe_load(found.message[found.message.index("allowedRoutes:") :])
    for namespace in ("team-a", *before):
        live = Namespace(meta("Namespace", namespace, namespace=""), named(namespace))
        assert listener_problem(listener(**line["allowedRoutes"]), namespace=namespace, live=live) is None
    assert (
        listener_problem(listener(**line["allowedRoutes"]), namespace="x", live=Namespace(meta("Namespace", "x"), named("x")))
        is not None
    )


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        pytest.param(selecting(matchLabels={"team": "b"}), "team=b", id="labels"),
        pytest.param(
            selecting(matchExpressions=[{"key": "team", "operator": "NotIn", "values": ["a"]}]), "team notin (a)", id="none of"
        ),
        pytest.param(selecting(matchExpressions=[{"key": "team", "operator": "DoesNotExist"}]), "!team", id="not there"),
        pytest.param(selecting(matchLabels={"team": "b", **named("team-a")}), f"team=b,{NAME}=team-a", id="name and label"),
    ],
)
def test_where_labels_choose_the_namespace_needs_the_label(closed, words):
    found = listener_problem(closed)
    assert found.reason == "NotAllowedByListeners"
    assert found.message.endswith(f"that match {words}; change the labels of namespace team-a")


@pytest.mark.parametrize(
    ("listeners", "wanted", "reason", "words"),
    [
        pytest.param(
            (ALL,), {"section": "https"}, "ListenerNotFound", "no listener https; its listeners: http", id="unknown section"
        ),
        pytest.param(
            (ALL,), {"port": 81}, "ListenerNotFound", "no listener with port 81; its listeners: http (port 80)", id="no such port"
        ),
        pytest.param(
            (ALL, listener("other")),
            {"section": "other", "port": 81},
            "ListenerNotFound",
            "no listener other with port 81; its listeners: http (port 80), other (port 80)",
            id="a named listener of another port",
        ),
        pytest.param((listener(protocol="TCP"),), {}, "NoHTTPListener", "http (TCP)", id="another protocol"),
        pytest.param((listener(kinds=[{"kind": "GRPCRoute"}]),), {}, "NoHTTPListener", "http (HTTP)", id="another kind"),
        pytest.param(
            (listener("closed"), ALL),
            {"section": "closed"},
            "NotAllowedByListeners",
            "listener closed of",
            id="the named one is closed",
        ),
    ],
)
def test_other_obstacles(listeners, wanted, reason, words):
    found = listener_problem(*listeners, **wanted)
    assert found.reason == reason
    assert words in found.message


def test_labels_that_may_not_be_read_are_left_to_the_gateway_s_controller():
    assert listener_problem(selecting(matchLabels={"team": "b"}), live=None) is None


@pytest.mark.parametrize(
    ("own", "asked", "fits"),
    [
        ("", ("m.example.com",), True),
        ("m.example.com", (), True),
        ("m.example.com", ("m.example.com",), True),
        ("*.example.com", ("m.example.com",), True),
        ("*.example.com", ("a.b.example.com",), True),
        ("*.example.com", ("example.com",), False),
        ("m.example.com", ("*.example.com",), True),
        ("*.a.example.com", ("*.example.com",), True),
        ("*.example.com", ("*.example.org",), False),
        ("m.example.com", ("n.example.com",), False),
        ("m.example.com", ("n.example.com", "m.example.com"), True),
    ],
)
def test_host_names_need_one_in_common(own, asked, fits):
    found = listener_problem(listener(hostname=own, namespaces={"from": "All"}), hostnames=asked)
    assert (found is None) == fits
    assert fits or found.reason == "NoMatchingListenerHostname"
