"""Our status beside KAITO's: what is read of it, and the patch that changes nothing of KAITO's."""

import copy
import json

import pytest

from tests.unit.factories import quickstart
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.status import GatewayStatus, WorkspaceStatus
from workspace_ctrl.records.companion_status import (
    added_condition_patch,
    condition_patch,
    divided,
    joined,
    parse_companion_record,
    reported,
    with_our_status,
)

TIME = "2026-11-27T12:00:00Z"
OURS = Condition("GatewayReady", "True", "GatewayConfigured", "model is served", 1, TIME)
READY = Condition("Ready", "True", "Ready", "model is served", 1, TIME)
STATUS = WorkspaceStatus(1, gateway=GatewayStatus(url="http://example/phi"), conditions=(READY, OURS))
KAITO = [Condition(type_, "True", "Because", "so it is", 1, TIME).as_object() for type_ in ("ResourceReady", "NodesReady")]


def document(status, annotation=""):
    raw = quickstart(status=status)
    if annotation:
        raw["metadata"]["annotations"] = {"workspace-ctrl/status": annotation}
    return raw


def patched(status, operations, live=None):
    """The status after a JSON patch as the API server applies it; None where it rejects it."""
    raw = document(status) if live is None else {**live, "status": status} if status else {**live}
    try:
        return _patched(copy.deepcopy(raw), operations)
    except (IndexError, KeyError):
        return None


def _patched(raw, operations):
    for operation in operations:
        *parents, last = operation["path"].strip("/").split("/")
        place = raw
        for step in parents:
            place = place[int(step)] if isinstance(place, list) else place[step]
        key = len(place) if last == "-" else int(last) if isinstance(place, list) else last
        match operation["op"]:
            case "test":
                if place[key] != operation["value"]:
                    return None
            case "remove":
                del place[key]
            case "add" if isinstance(place, list):
                place.insert(key, operation["value"])
            case _:
                place[key] = operation["value"]
    return raw["status"]


def written(status, wanted=OURS):
    record = parse_companion_record(document(status), "Workspace")
    operations = condition_patch(record.meta, record.condition_types, divided(record.status).condition, wanted)
    return patched(status, operations) if operations else status


def test_what_is_divided_is_read_as_it_was():
    parts = divided(STATUS)
    record = parse_companion_record(document({"conditions": [*KAITO, parts.condition.as_object()]}, parts.annotation), "Workspace")
    assert record.status == STATUS
    assert record.condition_types == ("ResourceReady", "NodesReady", "GatewayReady")
    assert "GatewayReady" not in parts.annotation


def test_a_status_of_kaito_is_not_ours():
    assert parse_companion_record(document({"conditions": KAITO, "state": "Ready"}), "Workspace").status == WorkspaceStatus()


def test_without_a_gateway_side_nothing_is_reported():
    alone = WorkspaceStatus(1, conditions=(READY,))
    assert reported(alone) == WorkspaceStatus()
    assert divided(alone).annotation == ""
    assert reported(STATUS) == STATUS


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param("no JSON", id="no JSON"),
        pytest.param("[1]", id="no object"),
        pytest.param('{"conditions": 3, "gateway": []}', id="other types"),
        pytest.param('{"conditions": [{"type": "GatewayReady", "status": "True"}]}', id="a condition that belongs into the status"),
        pytest.param('"' + "x" * (64 << 10) + '"', id="too long"),
        pytest.param("[" * 4000 + "]" * 4000, id="too deep"),
    ],
)
def test_an_annotation_that_somebody_has_edited_says_nothing(annotation):
    assert parse_companion_record(document({}, annotation), "Workspace").status.conditions == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], ["GatewayReady"], id="an empty list"),
        pytest.param(["NodesReady", "InferenceReady"], ["NodesReady", "InferenceReady", "GatewayReady"], id="the first time"),
        pytest.param(
            ["NodesReady", "GatewayReady", "InferenceReady"], ["NodesReady", "GatewayReady", "InferenceReady"], id="again"
        ),
        pytest.param(["GatewayReady", "NodesReady", "GatewayReady"], ["GatewayReady", "NodesReady"], id="twice"),
        pytest.param(
            ["Ready", "NodesReady", "ChartReady", "GatewayReady", "Stalled"],
            ["NodesReady", "GatewayReady"],
            id="left by managed mode",
        ),
    ],
)
def test_a_patch_leaves_one_condition_of_ours_and_all_of_kaito(before, after):
    conditions = [Condition(type_, "False", "Before", "it was so", 1, TIME).as_object() for type_ in before]
    status = written({"conditions": conditions, "state": "Pending"})
    assert [entry["type"] for entry in status["conditions"]] == after
    assert next(entry for entry in status["conditions"] if entry["type"] == "GatewayReady") == OURS.as_object()
    theirs = [entry for entry in conditions if entry["type"] in {"NodesReady", "InferenceReady"}]
    assert [entry for entry in status["conditions"] if entry["type"] != "GatewayReady"] == theirs
    assert status["state"] == "Pending"


def test_where_nothing_is_reported_ours_is_removed():
    assert [entry["type"] for entry in written({"conditions": [KAITO[0], OURS.as_object()]}, None)["conditions"]] == [
        "ResourceReady"
    ]
    assert written({"conditions": KAITO}, None) == {"conditions": KAITO}


@pytest.mark.parametrize(
    ("seen", "live"),
    [
        pytest.param([OURS.as_object(), *KAITO], [*KAITO, OURS.as_object()], id="another order"),
        pytest.param([*KAITO, OURS.as_object()], KAITO, id="dropped"),
        pytest.param(KAITO, KAITO[1:], id="one of KAITO's dropped"),
    ],
)
def test_a_list_that_has_changed_meanwhile_is_not_changed(seen, live):
    record = parse_companion_record(document({"conditions": seen}), "Workspace")
    assert patched({"conditions": live}, condition_patch(record.meta, record.condition_types, None, OURS)) is None


def test_a_condition_that_is_as_it_should_be_is_not_written_again():
    assert condition_patch(parse_companion_record(document({}), "Workspace").meta, ("NodesReady", "GatewayReady"), OURS, OURS) == []


def test_another_workspace_of_that_name_is_not_changed():
    record = parse_companion_record(document({"conditions": KAITO}), "Workspace")
    assert condition_patch(record.meta, record.condition_types, None, OURS)[0] == {
        "op": "test",
        "path": "/metadata/uid",
        "value": record.meta.uid,
    }


@pytest.mark.parametrize("status", [{}, {"state": "Pending"}, {"conditions": KAITO}], ids=["no status", "no conditions", "KAITO's"])
def test_a_condition_is_added_to_the_object_as_it_was_read(status):
    live = document(status)
    live["metadata"]["resourceVersion"] = "7"
    operations = added_condition_patch(live, parse_companion_record(live, "Workspace").meta, OURS)
    assert operations[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert patched(status, operations[1:]) == {**status, "conditions": [*status.get("conditions", []), OURS.as_object()]}


def test_none_is_added_where_kaito_has_put_one_back():
    live = document({"conditions": [OURS.as_object()]})
    assert added_condition_patch(live, parse_companion_record(live, "Workspace").meta, OURS) == []


def test_two_of_ours_count_as_none_so_that_one_is_removed():
    twice = parse_companion_record(document({"conditions": [OURS.as_object()] * 2}), "Workspace")
    assert twice.status.conditions == ()
    assert [entry["type"] for entry in written({"conditions": [OURS.as_object()] * 2})["conditions"]] == ["GatewayReady"]


def test_the_command_line_shows_ours_beside_kaito_and_that_of_managed_mode_alone():
    parts = divided(STATUS)
    raw = document({"conditions": [*KAITO, parts.condition.as_object()]}, parts.annotation)
    assert with_our_status(raw)["status"] == joined(raw, "Workspace")
    managed = document(json.loads(json.dumps(STATUS.as_object())), parts.annotation)
    assert with_our_status(managed) is managed
    assert with_our_status(document({"conditions": KAITO})) == document({"conditions": KAITO})
