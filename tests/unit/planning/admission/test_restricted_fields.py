"""Fields that need rights which nobody checks: rejected with the right that is needed, unless the settings allow them."""

from dataclasses import replace

import pytest

from tests.unit.factories import quickstart, workspace
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.resolved_workspace import resolve

DENIED = PlanSettings(gateway_extension=True, restricted_fields=False)
HOSTS = {"gateway": {"hostnames": ["a.example"]}}
ADOPTING = {"metadata": {"name": "phi", "namespace": "default", "uid": "u", "annotations": {"workspace-ctrl/adopt": "Service"}}}


def adapter(name):
    source = {"name": "chat", name: {"persistentVolumeClaim": {"claimName": "chat"}}}
    return {"inference": {"preset": {"name": "phi-4-mini-instruct"}, "adapters": [{"source": source}]}}


def problem_of(fields, settings):
    problem = resolve(workspace(quickstart(**fields)), settings).problem
    return problem.message if problem is not None else ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "", id="none"),
        pytest.param(
            HOSTS,
            "gateway.hostnames requires the right to create httproutes, which is not checked in this installation",
            id="host names",
        ),
        pytest.param(
            adapter("volumeSource"), "inference.adapters[0].source.volumeSource requires the right to create pods", id="volume"
        ),
        pytest.param(
            adapter("volume"), "inference.adapters[0].source.volume requires the right to create pods", id="KAITO's volume"
        ),
        pytest.param(ADOPTING, "annotation workspace-ctrl/adopt requires the right to update the adopted objects", id="adoption"),
    ],
)
def test_a_restricted_field_is_rejected_where_nobody_checks_its_right(fields, words):
    assert problem_of(fields, DENIED).startswith(words)
    assert bool(problem_of(fields, DENIED)) == bool(words)
    assert not problem_of(fields, replace(DENIED, restricted_fields=True))


def test_a_gateway_that_is_off_is_checked_too():
    """Otherwise somebody else, who only sets `enabled`, would give the route its host names."""
    assert problem_of({"gateway": {"hostnames": ["a.example"], "enabled": False}}, DENIED)
