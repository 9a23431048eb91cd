"""What the browser gets of the object that is looked at."""

import json
import shlex

import pytest

from tests.unit.cli.page.objects import BROKEN, STARTING, gateway, said, workspace
from tests.unit.cli.test_explanation import observed
from workspace_ctrl.cli.inspect.chain_explanation import explanation
from workspace_ctrl.cli.page.details import explanation_of_status, gateway_details, workspace_details
from workspace_ctrl.cli.page.page_object import parse_page_object


def details(*changed, options="", **fields):
    item = workspace(*changed, **fields)
    explained = explanation_of_status(item, "by the status")
    return workspace_details(item, explained, parse_page_object(item, "Workspace"), options)


def test_the_first_broken_link_has_the_way_out_of_the_table_of_reasons():
    found = details(*BROKEN)
    assert found["cause"] == {
        "title": "EndpointPickerReady",
        "reason": "EndpointPickerScaledToZero",
        "message": "0 replicas",
        "meaning": "Somebody has scaled the endpoint picker to 0.",
        "wayOut": found["cause"]["wayOut"],
        "command": found["cause"]["command"],
    }
    assert found["cause"]["wayOut"]
    assert "phi" in found["cause"]["command"]
    assert [link["title"] for link in found["links"] if link["isFirstBroken"]] == ["EndpointPickerReady"]
    assert found["notes"] == ["by the status"]


def test_a_whole_chain_has_no_cause():
    assert details()["cause"] is None


def test_a_link_in_progress_is_the_cause_where_none_is_broken():
    assert details(*STARTING)["cause"]["reason"] == "EndpointPickerStarting"


def test_a_reason_of_others_is_said_to_be_one():
    assert "reason of another controller" in details(said("ChartReady", "False", "Odd", "hm"))["cause"]["meaning"]


def test_the_chain_of_the_objects_is_that_of_explain():
    case = observed()
    found = workspace_details(case.item, explanation(case), parse_page_object(case.item, "Workspace"), "")
    assert [link["title"] for link in found["links"]] == [link.title for link in explanation(case).links]


def test_a_deletion_comes_first():
    metadata = {"deletionTimestamp": "2026-11-28T01:30:00Z", "finalizers": ["workspace-ctrl/gateway"]}
    assert "waiting for workspace-ctrl/gateway" in details(metadata=metadata)["notes"][0]


def commands(*changed, options="", **fields):
    return [each["command"] for each in details(*changed, options=options, **fields)["commands"]]


def test_commands_choose_the_same_cluster():
    found = commands(options="--context prod")
    assert found[0] == "workspace-ctrl explain phi -n ns --context prod"
    assert all("--context prod" in command for command in found if not command.startswith("curl"))


@pytest.mark.parametrize("model", ['"; touch /tmp/x; "', "'$(id)'", "`id`", "a b"])
def test_a_hostile_model_name_stays_one_word_of_the_command(model):
    command = commands(gateway={"url": "http://gw/x", "modelNames": [model]})[-1]
    words = shlex.split(command)
    assert (words[0], words[1]) == ("curl", "http://gw/x/v1/chat/completions")
    assert json.loads(words[-1])["model"] == model


def test_without_a_url_nothing_is_asked():
    assert not any("curl" in command or " chat " in command for command in commands(gateway={}))


def test_a_gateway_that_is_not_programmed():
    raw = gateway(said("Programmed", "False", "AddressNotAssigned", "no load balancer"))
    found = gateway_details(raw, parse_page_object(raw, "Gateway"), "", ())
    assert (found["cause"]["title"], found["cause"]["message"]) == ("programmed", "no load balancer")
    assert "MetalLB" in found["cause"]["wayOut"]
    assert found["links"][0]["message"] == "ok"
    assert found["commands"][0]["command"] == "kubectl get gateway gw -n ns -o yaml"


def test_a_gateway_names_what_is_served_through_it():
    raw = gateway()
    others = [parse_page_object(raw, "Gateway")]
    others += [
        parse_page_object(workspace(*BROKEN, name="phi"), "Workspace"),
        parse_page_object(workspace(gateway={}), "InferenceSet"),
    ]
    found = gateway_details(raw, others[0], "", others)
    assert found["served"] == [{"id": "Workspace/ns/phi", "state": "failed"}]


MEMBERS = [
    {"kind": "Workspace", "name": "phi", "weight": 90, "current": 100, "ready": True},
    {"kind": "InferenceSet", "name": "new", "fallback": True, "current": 0, "ready": False},
]


def test_a_group_has_its_members_with_their_weights():
    found = details(gateway={"group": {"name": "chat", "url": "http://gw/ns/chat", "members": MEMBERS}})
    assert (found["group"]["name"], found["group"]["url"]) == ("chat", "http://gw/ns/chat")
    first, second = found["group"]["members"]
    assert first == {"id": "Workspace/ns/phi", "weight": 90, "current": 100, "isFallback": False, "isReady": True}
    assert second == {"id": "InferenceSet/ns/new", "weight": None, "current": 0, "isFallback": True, "isReady": False}


def test_without_a_group_there_is_none():
    assert details()["group"] is None
