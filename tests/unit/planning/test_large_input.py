"""Workspaces of any size are planned in time that grows with their size, and into objects that do."""

import json
from dataclasses import replace

import pytest

from tests.unit.factories import NOW, SETTINGS, gateway, gateway_class, pod, quickstart, route, status, workspace
from tests.unit.factories import pool as a_pool
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import LabelSelector, LabelSelectorRequirement, Resource
from workspace_ctrl.catalog.charts import find_layout
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.probe_results import MOST_NAMES, ProbeOutcome, ProbeResult
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.chart.value_validation import SHAPES
from workspace_ctrl.planning.chart.values_without_effect import trap_in
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import owned
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.preset.node_gpus import node_gpus
from workspace_ctrl.planning.steps import Apply
from workspace_ctrl.planning.workload.node_affinity import selecting
from workspace_ctrl.planning.workload.template_workload import template_workload
from workspace_ctrl.readiness.address import MOST_URLS
from workspace_ctrl.readiness.probe import MOST_TARGETS, ModelAddress, probe_targets
from workspace_ctrl.records.listeners import Listener, RoutesFrom
from workspace_ctrl.records.managed_fields import packed
from workspace_ctrl.records.workloads import Workload, parse_referenced_workload

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
OWNER = workspace().meta
REFERENCE = {"workloadRef": {"selector": {"app": "x"}, "targetPort": 8000}}


class Counted(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other):
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def comparisons(count):
    Counted.comparisons = 0
    assert not SHAPES["environment"]([{"name": Counted(f"E{number}"), "value": ""} for number in range(count)])
    return Counted.comparisons


def test_twice_the_variables_take_twice_the_comparisons():
    assert comparisons(1000) <= 3 * comparisons(500) + 500


def looked_through(count):
    """Return how often values are compared where a selector with so many of them looks for nodes."""
    values = [Counted(f"v{number}") for number in range(count)]
    requirement = LabelSelectorRequirement.model_construct(key="a", operator="NotIn", values=values)
    selects = selecting(LabelSelector.model_construct(match_labels=None, match_expressions=[requirement]))
    Counted.comparisons = 0
    assert all(selects({"a": f"w{node}"}) for node in range(100))
    return Counted.comparisons


def test_values_of_a_selector_are_not_gone_through_for_each_node():
    assert looked_through(64) <= 100


def with_terms(terms, **selector):
    template = {"spec": {"containers": [{}], "affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{}] * terms}}}}}
    resource = Resource.model_validate({"labelSelector": selector})
    return template_workload(OWNER, names("x"), resource, template, scaled_by_others=False)


def test_terms_are_not_multiplied_with_labels_without_end():
    labels = {f"label{number}": "" for number in range(1000)}
    with pytest.raises(SpecError, match="has 1000 terms; with the requirements of resource in each, they exceed 128 KiB"):
        with_terms(1000, matchLabels=labels)
    for terms, given in ((1000, {"a": "b"}), (1, labels), (10, {f"label{number}": "x" * 63 for number in range(32)})):
        assert len(json.dumps(with_terms(terms, matchLabels=given))) < 1024 * 1024


def test_a_long_annotation_is_not_split_for_each_object():
    assert not is_adopted({"workspace-ctrl/adopt": "," * 250_000 + "true"}, "Service")
    assert is_adopted({"workspace-ctrl/adopt": "Deployment, Service"}, "Service")


def test_gpus_that_somebody_else_wrote_down_are_bounded():
    noted = {"name": "n", "gpu": "g", "gpu_memory_gib": 80.0}
    resource = Resource.model_validate({"instanceType": "mine", "labelSelector": {}})
    for changes in ({"gpus": 10**400}, {"gpus": 1, "name": "x" * 5000}):
        workload = Workload(OWNER, node_gpus=json.dumps({**noted, **changes}))
        with pytest.raises(SpecError, match="'mine' is not known"):
            node_gpus(resource, (workload,), ())


def test_a_large_manifest_is_compared_item_by_item():
    keys = [f"é{number}" for number in range(2000)]
    manifest = owned("apps/v1", "Deployment", "x", OWNER, {"spec": {"env": [{"name": key} for key in keys], "set": ["é", 1]}})
    env = {f'k:{{"name":"{key}"}}': {".": {}, "f:name": {}} for key in keys}
    about = {f"f:{name}": {f"f:{key}": {} for key in manifest["metadata"][name]} for name in ("labels", "annotations")}
    fields = {"f:metadata": about, "f:spec": {"f:env": env, "f:set": {'v:"é"': {}, "v:1": {}}}}
    assert is_ours(manifest, packed(fields))
    del env['k:{"name":"é1999"}']
    assert not is_ours(manifest, packed(fields))


def test_what_cannot_be_sent_is_refused_with_the_kind():
    with pytest.raises(SpecError, match="needs a Deployment that cannot be sent to the API server"):
        owned("apps/v1", "Deployment", "x", OWNER, {"spec": {"flag": "\ud800"}})


@pytest.mark.parametrize("selector", [{"a b": "c"}, {"x" * 500: ""}, {f"l{number}": "" for number in range(40)}])
def test_pods_are_not_watched_by_what_is_no_selector(selector):
    found = parse_referenced_workload(
        {"metadata": {"name": "x", "uid": "u"}, "spec": {"selector": {"matchLabels": selector}, "template": {}}}, "Thing"
    )
    raw = quickstart(inference={"workloadRef": {"kind": "Thing", "name": "x", "targetPort": 80}})
    outcome = plan(workspace(raw), Snapshot(reference=found), SETTINGS)
    assert [problem.reason for problem in outcome.decisions.problems] == ["SelectorUnknown"]
    assert not outcome.desired.dependencies.pods


def large_world(**changes):
    listeners = tuple(Listener(f"l{number}", "HTTP", number + 1, routes_from=RoutesFrom.ALL) for number in range(64))
    given = {
        "gateways": tuple(gateway(f"g{number}", listeners=listeners) for number in range(8)),
        "gateway_classes": (gateway_class(),),
        "pods": tuple(pod(name=f"p{number}", node=f"n{number}") for number in range(3000)),
        "pool": a_pool(),
        "route": route(),
        "probing": True,
    }
    return Snapshot(**{**given, **changes})


def behind_eight_gateways(**gateway_fields):
    refs = [{"name": f"g{number}"} for number in range(8)]
    return workspace(quickstart(resource=None, inference=REFERENCE, gateway={"parentRefs": refs, **gateway_fields}))


def test_many_listeners_and_pods_make_a_status_that_can_be_stored():
    record, world = behind_eight_gateways(hostnames=[f"h{number}.example" for number in range(16)]), large_world()
    outcome = plan(record, world, SETTINGS)
    found = status(record, world, outcome.decisions, NOW)
    assert len(found.worker_nodes) == 1000
    assert found.gateway is not None
    assert len(found.gateway.urls) == MOST_URLS
    assert len(json.dumps(found.as_object())) < 256 * 1024
    assert len(probe_targets(outcome.decisions.parents, (), ModelAddress.of(outcome.decisions))) == MOST_TARGETS


def test_what_cannot_be_kept_apart_from_others_is_not_routed():
    told = ProbeResult(ProbeOutcome.ANSWERED, models=tuple(f"model-{number}" for number in range(1000)))
    world = large_world(probe=told)
    outcome = plan(behind_eight_gateways(match={"header": True}), world, replace(SETTINGS, match_reported_names=True))
    assert len(outcome.desired.claims or ()) == 0
    assert "TooManyMatches" in {problem.reason for problem in outcome.decisions.problems}
    assert not any(isinstance(step, Apply) and step.link is LinkName.ROUTE for step in outcome.steps)


def test_of_the_names_that_a_server_tells_those_are_used_that_a_header_can_have():
    names_told = ("ok", "two words", "\ud800", "x" * 900_000, "a\nb", "ok", "mod\u00e8le", *(f"m{number}" for number in range(500)))
    world = Snapshot(probing=True, probe=ProbeResult(ProbeOutcome.ANSWERED, models=names_told))
    outcome = plan(workspace(quickstart(resource=None, inference=REFERENCE)), world, SETTINGS)
    assert outcome.decisions.model_names[:2] == ("ok", "m0")
    assert len(outcome.decisions.model_names) == MOST_NAMES


def test_a_name_in_a_template_that_no_header_can_have_is_none():
    container = {"args": ["--served-model-name", "a\nb" * 9999]}
    outcome = plan(workspace(quickstart(inference={"template": {"spec": {"containers": [container]}}})), Snapshot(), SETTINGS)
    assert outcome.decisions.model_names == ()


@pytest.mark.parametrize("version", ["../../evil", "v1.5.0-\u2028x", "v1.5.0-a b", "", "v1.5.0-\x1b[2J"])
def test_a_chart_version_is_a_tag(version):
    outcome = plan(workspace(quickstart(gateway={"chart": {"version": version}})), Snapshot(), SETTINGS)
    (problem,) = outcome.decisions.problems
    assert problem.message == "gateway.chart.version must be a tag, such as v1.5.0"


@pytest.mark.parametrize("name", [{"a": 1}, ["a"], None, 10**300])
def test_flags_of_any_shape_are_looked_at(name):
    layout = find_layout("inferencepool", "v1.0.1")
    found = trap_in(layout, {"inferenceExtension": {"flags": [{"name": name, "value": True}]}})
    assert found is not None
    assert "passes as two arguments" in found[1]
