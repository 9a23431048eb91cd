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


@pytest.mark.parametrize(
    ("gateway", "field", "right"),
    [
        pytest.param({"match": {"path": "/other"}}, "match.path", "create httproutes", id="a path outside of the namespace"),
        pytest.param(
            {"match": {"path": "/defaults/x"}}, "match.path", "create httproutes", id="one that begins like the namespace"
        ),
        pytest.param({"match": {"header": True}}, "match.header", "create httproutes", id="a header"),
        pytest.param({"match": {"catchAll": True}}, "match.catchAll", "create httproutes", id="everything"),
        pytest.param({"pool": {"ref": {"name": "x"}}}, "pool.ref", "create httproutes", id="a pool"),
        pytest.param({"group": {"name": "x"}}, "group", "create httproutes", id="a group"),
        pytest.param({"httpRouteRef": {"name": "x"}}, "httpRouteRef", "get the HTTPRoute", id="a route"),
        pytest.param({"serviceAccountName": "x"}, "serviceAccountName", "impersonate the ServiceAccount", id="a ServiceAccount"),
        pytest.param(
            {"endpointPicker": {"valuesFrom": [{"kind": "ConfigMap", "name": "x"}]}},
            "endpointPicker.valuesFrom[0]",
            "get configmaps",
            id="values",
        ),
    ],
)
def test_each_field_of_the_gateway_that_needs_a_right_is_restricted(gateway, field, right):
    assert problem_of({"gateway": gateway}, DENIED).startswith(f"gateway.{field} requires the right to {right}")
    assert not problem_of({"gateway": gateway}, replace(DENIED, restricted_fields=True))


@pytest.mark.parametrize(
    "gateway",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"match": {"path": "/default/x"}}, id="a path of the namespace"),
        pytest.param({"match": {"header": False, "catchAll": False}}, id="matches that are off"),
        pytest.param({"hostnames": []}, id="no host names"),
        pytest.param({"endpointPicker": {}}, id="an endpoint picker as it is"),
        pytest.param({"endpointPicker": {"valuesFrom": []}}, id="no values"),
        pytest.param({"timeout": "5m", "aliases": ["x"], "modelName": "y"}, id="other fields"),
    ],
)
def test_what_needs_no_right_is_nobodys_problem(gateway):
    assert not problem_of({"gateway": gateway}, DENIED)


def test_a_gateway_that_is_off_is_checked_too():
    """Otherwise somebody else, who only sets `enabled`, would give the route its host names."""
    assert problem_of({"gateway": {"hostnames": ["a.example"], "enabled": False}}, DENIED)
