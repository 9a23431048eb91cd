"""What Gateways' controllers say of a route or a pool: an entry for each attachment."""

import pytest

from tests.unit.factories import condition, meta
from workspace_ctrl.records.gateways import HTTPRoute, ParentStatus, parse_http_route, parse_inference_pool
from workspace_ctrl.records.listeners import ParentReference
from workspace_ctrl.records.meta import ObjectRef

GATEWAY = ObjectRef("Gateway", "team", "g")
ENTRIES = [
    {"parentRef": {"name": "g"}, "controllerName": "c/one", "conditions": [{"type": "Accepted", "status": "True", "reason": "A"}]},
    {"parentRef": {"name": "g", "sectionName": "https", "port": 8443}, "controllerName": "c/two"},
    {"parentRef": {"name": "g", "namespace": "elsewhere", "kind": "Gateway"}, "controllerName": "c/one"},
    {"controllerName": "c/three"},
    {"parentRef": {"name": "anonymous"}},
]


def attached(parse):
    return parse({"metadata": {"name": "x", "namespace": "team"}, "status": {"parents": ENTRIES}}, "X")


@pytest.mark.parametrize("parse", [parse_http_route, parse_inference_pool])
def test_every_entry_is_read_with_its_defaults(parse):
    found = [(entry.parent, entry.controller) for entry in attached(parse).parents]
    assert found == [
        (ParentReference(GATEWAY), "c/one"),
        (ParentReference(GATEWAY, "https", 8443), "c/two"),
        (ParentReference(ObjectRef("Gateway", "elsewhere", "g")), "c/one"),
        (ParentReference(ObjectRef("Gateway", "team", "")), "c/three"),
        (ParentReference(ObjectRef("Gateway", "team", "anonymous")), ""),
    ]
    assert attached(parse).parents[0].condition("Accepted").reason == "A"
    assert attached(parse).parents[1].condition("Accepted") is None


def at(section="", port=0, name="g"):
    return ParentReference(ObjectRef("Gateway", "team", name), section, port)


def said(parent, controller="ours", accepted="True", generation=1):
    """What a controller says of the attachment to a parent."""
    return ParentStatus(parent, controller, (condition("Accepted", accepted, generation=generation),))


WHOLE, HTTP, HTTPS = at(), at("http"), at("https")


@pytest.mark.parametrize(
    ("wanted", "others", "entries", "index"),
    [
        pytest.param(WHOLE, (), (said(WHOLE, "theirs"), said(WHOLE)), 1, id="of the controller"),
        pytest.param(WHOLE, (), (said(WHOLE, "theirs"),), None, id="of another controller"),
        pytest.param(WHOLE, (), (said(at(name="h")),), None, id="another Gateway"),
        pytest.param(WHOLE, (), (said(WHOLE, ""),), 0, id="one that names no controller is of any"),
        pytest.param(WHOLE, (), (said(WHOLE, ""), said(WHOLE)), 1, id="but one that names it goes first"),
        pytest.param(WHOLE, (), (said(WHOLE, "", "False"), said(WHOLE, accepted="False")), 1, id="whatever it says"),
        pytest.param(HTTPS, (), (said(WHOLE), said(HTTPS)), 1, id="for the listener"),
        pytest.param(HTTPS, (), (said(WHOLE), said(HTTP)), None, id="not for the Gateway as a whole, or another listener"),
        pytest.param(WHOLE, (), (said(HTTP), said(WHOLE, accepted="False")), 1, id="exactly that one, whatever it says"),
        pytest.param(WHOLE, (), (said(HTTP),), 0, id="its only listener, which the route does not name"),
        pytest.param(WHOLE, (HTTP,), (said(HTTP),), None, id="a listener that the route names, too"),
        pytest.param(WHOLE, (HTTP,), (said(HTTP), said(HTTPS)), 1, id="the listener that it does not name"),
        pytest.param(WHOLE, (), (said(HTTP, accepted="False"), said(HTTPS)), 1, id="of several listeners one that accepts"),
        pytest.param(WHOLE, (), (said(HTTP, generation=0), said(HTTPS)), 1, id="one that accepts this generation"),
        pytest.param(at(port=80), (at(port=81),), (said(at(port=81)), said(at(port=80))), 1, id="for the port"),
        pytest.param(at(port=80), (), (said(at(port=81)),), None, id="not for another port"),
        pytest.param(at(port=80), (), (said(WHOLE),), 0, id="without the port, which the controller leaves out"),
        pytest.param(at(port=80), (WHOLE,), (said(WHOLE),), None, id="for all ports, which the route names, too"),
        pytest.param(at("http", 80), (at("http", 81),), (said(at("http", 81)), said(HTTP)), 1, id="for a name and a port"),
    ],
)
def test_the_entry_for_an_attachment(wanted, others, entries, index):
    route = HTTPRoute(meta("HTTPRoute", "x"), parents=entries, attached_to=(wanted, *others))
    assert route.parent_status(wanted, "ours") == (entries[index] if index is not None else None)
