"""What Gateways' controllers say of a route or a pool: an entry for each attachment."""

import pytest

from workspace_ctrl.records.gateways import parse_http_route, parse_inference_pool
from workspace_ctrl.records.meta import ObjectRef

GATEWAY = ObjectRef("Gateway", "team", "g")
ENTRIES = [
    {"parentRef": {"name": "g"}, "controllerName": "c/one", "conditions": [{"type": "Accepted", "status": "True", "reason": "A"}]},
    {"parentRef": {"name": "g", "sectionName": "https"}, "controllerName": "c/two"},
    {"parentRef": {"name": "g", "namespace": "elsewhere", "kind": "Gateway"}, "controllerName": "c/one"},
    {"controllerName": "c/three"},
    {"parentRef": {"name": "anonymous"}},
]


def attached(parse):
    return parse({"metadata": {"name": "x", "namespace": "team"}, "status": {"parents": ENTRIES}}, "X")


@pytest.mark.parametrize("parse", [parse_http_route, parse_inference_pool])
def test_every_entry_is_read_with_its_defaults(parse):
    found = [(entry.parent, entry.section, entry.controller) for entry in attached(parse).parents]
    assert found == [
        (GATEWAY, "", "c/one"),
        (GATEWAY, "https", "c/two"),
        (ObjectRef("Gateway", "elsewhere", "g"), "", "c/one"),
        (ObjectRef("Gateway", "team", ""), "", "c/three"),
        (ObjectRef("Gateway", "team", "anonymous"), "", ""),
    ]
    assert attached(parse).parents[0].condition("Accepted").reason == "A"
    assert attached(parse).parents[1].condition("Accepted") is None


@pytest.mark.parametrize(
    ("name", "controller", "section", "index"),
    [
        pytest.param("g", "c/one", None, 0, id="of the controller"),
        pytest.param("g", "c/two", None, 1, id="of another one"),
        pytest.param("g", "c/four", None, None, id="of none"),
        pytest.param("g", "c/two", "https", 1, id="for the listener"),
        pytest.param("g", "c/two", "", None, id="not for the Gateway as a whole"),
        pytest.param("g", "c/one", "https", None, id="not for that listener"),
        pytest.param("anonymous", "c/one", None, 4, id="an entry that names no controller is of any"),
        pytest.param("h", "c/one", None, None, id="another Gateway"),
    ],
)
def test_the_entry_for_an_attachment(name, controller, section, index):
    route = attached(parse_http_route)
    wanted = route.parents[index] if index is not None else None
    assert route.parent_status(ObjectRef("Gateway", "team", name), controller, section) == wanted
