"""Which models are listed at a Gateway and host name, and what is said of each."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.model_index.served import ADDRESS, PRIVATE, SHARED, models, routes, workspace
from workspace_ctrl.model_index.index_routes import Side, parse_index_route, sides_by_key
from workspace_ctrl.model_index.listed_models import parse_listed_companion, parse_listed_model
from workspace_ctrl.model_index.listing import listing
from workspace_ctrl.records.other_routes import parse_other_route
from workspace_ctrl.records.unreadable_objects import isolated


def at(host, *documents, made=None, namespaces="all"):
    """The listing for a request to `host` on the Gateway of the routes `made`."""
    (sides,) = sides_by_key(made or routes()).values()
    return listing(models(*documents), sides.side(host), namespaces)


def ids(found):
    return [entry["id"] for entry in found.entries]


def test_a_model_has_the_shape_of_the_api_and_our_fields():
    (entry,) = json.loads(at(ADDRESS, workspace("phi", "phi-4")).body)["data"]
    assert entry == {
        "id": "phi-4",
        "object": "model",
        "created": 1795845600,
        "owned_by": "team-a",
        "x-ready": True,
        "x-reason": "GatewayReady",
        "x-path": "/team-a/phi",
        "x-kind": "Workspace",
        "x-name": "phi",
    }


def test_all_names_are_listed_and_those_of_adapters_with_their_model():
    found = at(ADDRESS, workspace("phi", "phi-4", "alias", "poet", adapters=["poet", "not served"]))
    assert [(entry["id"], entry.get("x-adapter-of")) for entry in found.entries] == [
        ("phi-4", None),
        ("alias", None),
        ("poet", "phi-4"),
    ]


def test_adapters_of_an_inference_set_are_those_of_its_template():
    found = at(ADDRESS, workspace("phi", "phi-4", "poet", kind="InferenceSet", adapters=["poet"]))
    assert [(entry["x-kind"], entry.get("x-adapter-of")) for entry in found.entries] == [
        ("InferenceSet", None),
        ("InferenceSet", "phi-4"),
    ]


def test_a_model_that_is_not_ready_is_listed_with_the_reason():
    (entry,) = at(ADDRESS, workspace("phi", ready="False", reason="EndpointsNotReady")).entries
    assert (entry["x-ready"], entry["x-reason"]) == (False, "EndpointsNotReady")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(workspace("phi", routed="False"), id="its route is not accepted"),
        pytest.param(workspace("phi", gateways=["gateways/other"]), id="it is on another Gateway"),
        pytest.param(workspace("phi", urls=["http://other.example/team-a/phi"]), id="it has another host name"),
        pytest.param(workspace("phi", deletionTimestamp="2026-11-28T06:00:00Z"), id="it is being deleted"),
        pytest.param(workspace("phi") | {"status": {}}, id="it has no status"),
        pytest.param(workspace("phi") | {"status": 7}, id="its status is none"),
        pytest.param(workspace("phi", urls=["http://[::1/team-a/phi"]), id="its URL is none"),
    ],
)
def test_what_is_not_reached_is_not_listed(document):
    assert at(ADDRESS, document).entries == ()


def test_each_host_name_has_its_own_list():
    made = routes("", "a.example.com", "*.b.example.com")
    documents = [
        workspace("one"),
        workspace("two", urls=["https://a.example.com:8443/team-a/two"]),
        workspace("three", urls=["https://x.b.example.com/team-a/three"]),
        workspace("four", urls=[]),
    ]
    assert ids(at("shared.example:8080", *documents, made=made)) == ["four", "one"]
    assert ids(at("whatever", *documents, made=made)) == ["four", "one"]
    assert ids(at("A.example.com:8443", *documents, made=made)) == ["two"]
    assert ids(at("x.b.example.com", *documents, made=made)) == ["four", "three"]
    assert ids(at("y.b.example.com", *documents, made=made)) == ["four"]


def test_the_address_of_a_gateway_may_be_one_of_ip_version_6():
    made = routes(addresses=("2001:db8::7",))
    assert ids(at("[2001:db8::7]:80", workspace("phi", urls=["http://[2001:db8::7]/team-a/phi"]), made=made)) == ["phi"]


@pytest.mark.parametrize(
    ("namespaces", "gateway", "wanted"),
    [
        ("all", SHARED, ["one", "two"]),
        ("same", SHARED, []),
        ("same", PRIVATE, ["two"]),
        (("team-a", "team-c"), SHARED, ["one"]),
    ],
)
def test_only_models_of_allowed_namespaces_are_listed(namespaces, gateway, wanted):
    documents = [
        workspace("one", gateways=[SHARED, PRIVATE]),
        workspace("two", namespace="team-b", gateways=[SHARED, PRIVATE]),
    ]
    assert ids(at(ADDRESS, *documents, made=routes(key=gateway), namespaces=namespaces)) == wanted


def test_a_group_is_an_endpoint_of_its_own_with_the_names_that_its_members_have_in_common():
    group = {"name": "chat", "url": f"http://{ADDRESS}/team-a/chat", "members": [{"name": "v1", "ready": False}]}
    ready = group | {"members": [{"name": "v1", "ready": False, "current": 90}, {"name": "v2", "ready": True, "current": 10}]}
    found = at(ADDRESS, workspace("v1", "phi", "old", group=group), workspace("v2", "phi", "new", group=ready))
    (entry,) = [entry for entry in found.entries if entry["x-kind"] == "Group"]
    assert entry == {
        "id": "phi",
        "object": "model",
        "created": 1795845600,
        "owned_by": "team-a",
        "x-ready": True,
        "x-path": "/team-a/chat",
        "x-kind": "Group",
        "x-name": "chat",
    }


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([{"name": "v1", "ready": True, "current": 100}], True, id="it gets all"),
        pytest.param(
            [{"name": "v1", "ready": False, "current": 100}, {"name": "v2", "ready": True, "current": 0}], False, id="it gets none"
        ),
        pytest.param([{"name": "v1", "ready": True}], False, id="there is no route yet"),
    ],
)
def test_a_group_is_ready_if_a_member_that_gets_its_requests_is(members, expected):
    group = {"name": "chat", "url": f"http://{ADDRESS}/team-a/chat", "members": members}
    (entry,) = [entry for entry in at(ADDRESS, workspace("v1", group=group)).entries if entry["x-kind"] == "Group"]
    assert entry["x-ready"] is expected


def test_a_group_whose_members_have_no_name_in_common_is_listed_by_its_own():
    group = {"name": "chat", "url": f"http://{ADDRESS}/team-a/chat", "members": []}
    found = at(ADDRESS, workspace("v1", "old", group=group), workspace("v2", "new", group=group))
    assert "chat" in found.by_id
    assert "chat" not in at("a.example.com", workspace("v1", group=group), made=routes("", "a.example.com")).by_id


def test_names_that_are_none_are_left_out():
    hostile = ["\x1b[31mred", "a b", "x" * 254, "", "caf\u00e9", "right\u202eleft", "fine"]
    assert ids(at(ADDRESS, workspace("phi", *hostile))) == ["fine"]


def test_beside_kaito_the_status_is_where_the_controller_keeps_it():
    document = workspace("phi", "phi-4")
    noted = json.dumps(document["status"])
    document["metadata"]["annotations"] = {"workspace-ctrl/status": noted}
    document["status"] = {"conditions": [document["status"]["conditions"][0]], "gateway": {"modelNames": ["kaito's"]}}
    (sides,) = sides_by_key(routes()).values()
    found = listing([parse_listed_companion(document, "Workspace")], sides.side(ADDRESS), "all")
    assert [(entry["id"], entry["x-ready"]) for entry in found.entries] == [("phi-4", True)]


KEYS = st.sampled_from(
    [
        "gateway",
        "urls",
        "modelNames",
        "gateways",
        "group",
        "name",
        "url",
        "conditions",
        "type",
        "inference",
        "adapters",
        "source",
        "template",
        "rules",
        "matches",
        "path",
        "value",
        "filters",
        "requestHeaderModifier",
        "set",
        "parentRefs",
        "hostnames",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries(
        {
            "metadata": st.fixed_dictionaries({"name": st.text(), "namespace": st.text()}),
            "spec": JSON,
            "status": JSON,
            "inference": JSON,
        }
    )
)
@settings(max_examples=examples(200))
def test_objects_of_any_shape_are_read(document):
    for kind in ("Workspace", "InferenceSet"):
        for parse in (parse_listed_model, parse_listed_companion):
            model = isolated(parse)(document, kind)
            listing([model], Side(SHARED, addresses=frozenset({ADDRESS})), "all")
    isolated(parse_index_route)(document, "HTTPRoute")
    isolated(parse_other_route)(document, "HTTPRoute")
