"""Which external objects the model server depends on."""

import pytest

from tests.unit.factories import NAME, quickstart
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.planning.workload.server_from_spec import dependencies_of


def dependencies(**changes):
    return dependencies_of(parse_workspace(NAME, quickstart(**changes)))


@pytest.mark.parametrize(
    ("inference", "config"),
    [
        pytest.param({"preset": {"name": "phi-4-mini-instruct"}}, "", id="none"),
        pytest.param({"preset": {"name": "phi-4-mini-instruct"}, "config": "flags"}, "flags", id="that of a preset"),
        pytest.param({"template": {}, "config": "flags"}, "", id="a template does not read it"),
    ],
)
def test_the_config_map(inference, config):
    assert dependencies(inference=inference).config == config


@pytest.mark.parametrize(
    ("reference", "named", "pods"),
    [
        pytest.param({"kind": "Deployment", "name": "x"}, "x", {}, id="an object"),
        pytest.param({"kind": "Deployment", "name": "x", "selector": {"a": "b"}}, "x", {"a": "b"}, id="an object and labels"),
        pytest.param({"selector": {"a": "b"}, "targetPort": 80}, None, {"a": "b"}, id="labels alone"),
    ],
)
def test_what_serves_a_referenced_model(reference, named, pods):
    found = dependencies(inference={"workloadRef": reference})
    assert (found.reference.name if found.reference is not None else None) == named
    assert found.pods == pods


def test_without_a_model_there_are_none():
    spec = parse_workspace(NAME, quickstart()).model_copy(update={"inference": None})
    assert dependencies_of(spec) == Dependencies()
    assert dependencies(inference={"template": {}}) == Dependencies()
