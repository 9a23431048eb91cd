"""Whatever an object holds, reading it gives a record, and only that object's."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workspace_ctrl.api.labels import FIELD_MANAGER, HASH_ANNOTATION, OWNER_LABEL
from workspace_ctrl.api.value_limits import MOST_LEVELS
from workspace_ctrl.cache.watches import WATCHED
from workspace_ctrl.records.chart_inventory import parse_chart_object
from workspace_ctrl.records.gateways import parse_kthena_model_server
from workspace_ctrl.records.objectives import parse_objective
from workspace_ctrl.records.other_routes import parse_other_route
from workspace_ctrl.records.unreadable_objects import isolated, too_deep
from workspace_ctrl.records.workloads import parse_referenced_workload
from workspace_ctrl.records.workspaces import MAX_SPEC_BYTES, parse_workspace_record

PARSERS = {
    **{f"{watched.name} {watched.selector}": watched.parse for watched in WATCHED},
    **{
        parse.__name__: parse
        for parse in (parse_kthena_model_server, parse_objective, parse_other_route, parse_referenced_workload)
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["conditions", "parents", "template", "rules", "selector", "ports", "containers", "listeners", "addresses", "values"]
)
LOOSE = st.recursive(JSON, lambda inner: st.dictionaries(FIELDS, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=12)


def nested(levels, name="f:a"):
    value = {}
    for _ in range(levels - 1):
        value = {name: value}
    return value


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(fields=st.dictionaries(st.sampled_from(["spec", "status", "inference", "resource", "gateway", "data"]), LOOSE))
def test_objects_of_any_shape_have_a_record(fields):
    for name, parse in PARSERS.items():  # a document is made in longer time than all of them take to read it
        record = isolated(parse)({"metadata": {"name": "x", "namespace": "ns", "uid": "1"}, **fields}, "Kind")
        assert (record.meta.ref.namespace, record.meta.ref.name) == ("ns", "x"), name


@pytest.mark.parametrize("levels", [100, 300, 900])
@pytest.mark.parametrize("manager", [FIELD_MANAGER, "helm-controller", "somebody"])
@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
def test_deep_managed_fields_cost_an_object_nothing_but_its_content(parse, manager, levels):
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": {"f:metadata": {}, "f:spec": nested(levels)}}
    metadata = {
        "name": "x",
        "namespace": "ns",
        "uid": "1",
        "labels": {OWNER_LABEL: "phi"},
        "annotations": {HASH_ANNOTATION: "abc"},
        "managedFields": [entry],
    }
    record = isolated(parse)({"metadata": metadata}, "Kind" if parse is not parse_chart_object else "Service")
    assert (record.meta.ref.name, record.meta.workspace) == ("x", "phi")


def test_an_object_that_cannot_be_read_keeps_its_identity_and_says_why():
    def parse(raw, kind):
        if "spec" in raw:
            raise KeyError("replicas")
        return PARSERS["parse_objective"](raw, kind)

    sound = {"metadata": {"name": "x", "namespace": "ns", "uid": "1", "generation": 3, "labels": {OWNER_LABEL: "phi"}}}
    assert isolated(parse)(sound, "Kind").meta.unreadable == ""
    broken = isolated(parse)({**sound, "spec": {}}, "Kind").meta
    assert (broken.uid, broken.generation, broken.workspace) == ("1", 3, "phi")
    assert broken.unreadable == "KeyError: 'replicas'"
    deep = isolated(parse)({**sound, "spec": nested(200)}, "Kind").meta
    assert deep.unreadable == "nested deeper than 64 levels"


def workspace(**fields):
    return parse_workspace_record({"metadata": {"name": "phi", "namespace": "ns", "uid": "1"}, **fields}, "Workspace")


@pytest.mark.parametrize(
    ("fields", "unreadable"),
    [
        pytest.param({"inference": {"template": nested(MOST_LEVELS - 2)}}, "", id="deep enough"),
        pytest.param(
            {"inference": {"template": nested(MOST_LEVELS - 1, "a")}},
            "inference.template.a is nested deeper than 64 levels",
            id="too deep",
        ),
        pytest.param({"gateway": nested(900, "b")}, "gateway.b.b is nested deeper than 64 levels", id="too deep to be written"),
        pytest.param({"tuning": [[[nested(400)]]]}, "tuning is nested deeper than 64 levels", id="in lists"),
        pytest.param({"inference": "x" * (MAX_SPEC_BYTES - 16)}, "", id="large enough"),
        pytest.param({"inference": "x" * MAX_SPEC_BYTES}, "it is larger than 256 KiB", id="too large"),
        pytest.param({"inference": {"x" * MAX_SPEC_BYTES: 1}}, "it is larger than 256 KiB", id="a large key"),
        pytest.param({"inference": [{}] * 100_000}, "it is larger than 256 KiB", id="wide"),
        pytest.param({"inference": 2**70}, "", id="a number beyond 64 bits"),
        pytest.param({"inference": 10**4000}, "not JSON: number is infinity when parsed as double: line 1", id="no number"),
        pytest.param({"inference": "\ud800"}, "not JSON: no low surrogate in string: line 1", id="half a character"),
    ],
)
def test_a_spec_that_is_not_read_is_not_kept(fields, unreadable):
    record = workspace(**fields)
    assert record.meta.unreadable.partition(" column")[0] == unreadable
    assert record.spec == b"{}" if unreadable else record.fields() == fields


def test_a_status_that_others_made_large_or_deep_is_kept_as_far_as_it_is_ours():
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "observedGeneration": 2,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    plain = workspace(status={"observedGeneration": 2, "conditions": [ready]})
    wide = workspace(status={"observedGeneration": 2, "conditions": [ready, *({"type": f"Other{n}"} for n in range(10_000))]})
    deep = workspace(status={"observedGeneration": 2, "conditions": [ready], "other": nested(500)})
    assert plain.status == wide.status == deep.status
    assert max(len(wide.stored_status), len(deep.stored_status)) < 1000


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_levels_are_counted_from_the_outside(levels):
    assert too_deep(nested(levels + 1), levels) is not None
    assert too_deep(nested(levels) if levels else "text", levels) is None
