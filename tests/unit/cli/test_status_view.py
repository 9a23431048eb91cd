"""What `workspace-ctrl status` prints of objects that others have made."""

import json
from datetime import UTC, datetime
from functools import reduce
from io import StringIO

import pytest
from rich.console import Console

from workspace_ctrl.cli.output import to_yaml
from workspace_ctrl.cli.printing.tables import Cell
from workspace_ctrl.cli.status_view import age_of, chain_view, is_ready, row_of, shallow, without_gateway

NOW = datetime(2026, 11, 27, 19, tzinfo=UTC)
DEEP = reduce(lambda inside, _: {"a": inside}, range(1000), {})
"""As deep as a response of the API server may be."""
VALID = {"kind": "Workspace", "metadata": {"name": "x", "namespace": "ns"}, "status": {"conditions": []}}


@pytest.mark.parametrize("write", [json.dumps, to_yaml])
def test_one_workspace_that_is_too_deep_does_not_break_the_list_of_all(write):
    hostile = {**VALID, "inference": {"template": DEEP}, "metadata": {**VALID["metadata"], "managedFields": [DEEP]}}
    assert write({"items": [shallow(hostile)]}) == write({"items": [VALID]})


def test_a_valid_workspace_is_shown_as_it_is():
    assert shallow(VALID) is VALID


FINALIZERS = {"deletionTimestamp": "2026-11-27T18:00:00Z", "finalizers": ["workspace-ctrl/gateway"], "generation": 1}


def going(reason, status):
    told = [{"type": "Ready", "status": status, "reason": reason, "message": "x", "observedGeneration": 1}]
    return {**VALID, "metadata": {**VALID["metadata"], **FINALIZERS}, "status": {"observedGeneration": 1, "conditions": told}}


def printed(view):
    console = Console(width=300, file=StringIO())
    console.print(view)
    return console.file.getvalue()


def test_a_workspace_that_is_being_deleted_is_not_ready_whatever_its_status_says():
    left = going("Ready", "True")
    assert not is_ready(left)
    text = printed(chain_view(left))
    assert "being deleted since 2026-11-27T18:00:00Z, waiting for workspace-ctrl/gateway" in text
    assert "no controller acts on it" in text
    assert row_of(left, NOW, with_namespace=False, wide=False)[:3] == ("x", Cell("False", "red"), "Deleting")


def test_a_deletion_that_the_controller_has_seen_is_its_business():
    text = printed(chain_view(going("Deleting", "False")))
    assert "waiting for workspace-ctrl/gateway" in text
    assert "no controller acts" not in text


def of_conditions(*types, **fields):
    told = [{"type": type_, "status": "True", "reason": "Ready", "message": "x", "observedGeneration": 1} for type_ in types]
    return {**VALID, **fields, "status": {"observedGeneration": 1, "conditions": told}}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        pytest.param(of_conditions("Ready"), "without the feature gate gatewayAPIInferenceExtension", id="the gate is off"),
        pytest.param(of_conditions("Ready", gateway={"enabled": False}), "gateway.enabled is false", id="not wanted"),
        pytest.param(of_conditions("Ready", "GatewayReady"), "", id="there is one"),
        pytest.param(of_conditions("InferenceReady"), "", id="no status yet"),
    ],
)
def test_no_gateway_ready_at_all_is_explained(item, words):
    item["metadata"]["generation"] = 1
    assert words in without_gateway(item)
    assert ("no GatewayReady" in printed(chain_view(item))) == bool(words)


@pytest.mark.parametrize("width", [20, 80, 120])
def test_lines_of_the_chain_are_neither_cut_nor_wrapped(width):
    item = of_conditions("Ready", "GatewayReady")
    item["metadata"] = {**item["metadata"], "name": "n" * 200, "generation": 1}
    item["status"]["conditions"][1] |= {"status": "False", "message": "w" * 500}
    console = Console(width=width, file=StringIO())
    console.print(chain_view(item), soft_wrap=True)
    assert console.file.getvalue().splitlines() == [f"Workspace ns/{'n' * 200}", f"✘ GatewayReady Ready: {'w' * 500}"]


@pytest.mark.parametrize(
    ("created", "words"),
    [
        ("2026-11-27T18:59:00Z", "60s"),
        ("2026-11-27T17:00:00Z", "120m"),
        ("2026-11-20T18:00:00Z", "7d1h"),
        (None, "<unknown>"),
        ("x", "<unknown>"),
    ],
)
def test_ages_are_those_of_kubectl(created, words):
    assert age_of({"creationTimestamp": created}, NOW) == words


def test_a_set_is_shown_with_its_replicas_and_its_own_gateway():
    item = of_conditions("Ready", kind="InferenceSet", spec={"gateway": {"enabled": False}})
    item["metadata"]["generation"] = 1
    item["status"]["ready"] = "2/3"
    text = printed(chain_view(item))
    assert text.splitlines()[0] == "InferenceSet ns/x: 2/3 replicas ready"
    assert "gateway.enabled is false" in text
