"""InferenceObjectives: made, changed and removed with the spec; what hinders them breaks nothing else."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, derived, meta, quickstart, workspace
from tests.unit.planning.test_plan import finished, words
from workspace_ctrl.model.chart_objects import FormerCharts
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource
from workspace_ctrl.planning.steps import Apply, Delete
from workspace_ctrl.records.gateways import InferencePool, RouteRule
from workspace_ctrl.records.objectives import InferenceObjective
from workspace_ctrl.records.workspaces import pack_status

INTERACTIVE = {"name": "interactive", "priority": 10}
BATCH = {"name": "batch", "priority": -1}


def asking(*objectives, **more):
    return workspace(quickstart(gateway={"objectives": list(objectives), **more}))


def planned(record, snapshot, settings=SETTINGS):
    return plan(record, snapshot, settings)


def manifests(outcome):
    made = [step.manifest for step in outcome.steps if isinstance(step, Apply)]
    return [manifest for manifest in made if manifest["kind"] == "InferenceObjective"]


def there(*names, hash_="", kind="InferenceObjective", **fields):
    return tuple(InferenceObjective(meta(kind, f"{NAME}.{name}", hash_=hash_, **fields)) for name in names)


def problems(outcome):
    return [(problem.link, problem.reason) for problem in outcome.decisions.problems]


def test_each_entry_becomes_an_object_for_the_pool():
    outcome = planned(asking(INTERACTIVE, BATCH), finished())
    interactive, batch = manifests(outcome)
    assert interactive["apiVersion"] == "inference.networking.x-k8s.io/v1alpha2"
    assert (interactive["metadata"]["name"], interactive["metadata"]["namespace"]) == (f"{NAME}.interactive", NAMESPACE)
    assert interactive["metadata"]["ownerReferences"][0]["controller"] is True
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": derived().release}
    assert interactive["spec"] == {"priority": 10, "poolRef": pool}
    assert batch["spec"]["priority"] == -1
    assert outcome.decisions.objectives == (f"{NAME}.interactive", f"{NAME}.batch")
    assert outcome.desired.dependencies.objectives


def test_a_workspace_without_any_is_not_watched_for_them():
    outcome = planned(workspace(), finished())
    assert (words(outcome), outcome.desired.dependencies.objectives, outcome.decisions.objectives) == ([], False, ())


def test_what_is_there_as_wanted_is_left_alone():
    record = asking(INTERACTIVE)
    (manifest,) = manifests(planned(record, finished()))
    hash_ = manifest["metadata"]["annotations"]["workspace-ctrl/applied-hash"]
    assert words(planned(record, replace(finished(), objectives=there("interactive", hash_=hash_)))) == []
    changed = planned(asking({**INTERACTIVE, "priority": 11}), replace(finished(), objectives=there("interactive", hash_=hash_)))
    assert words(changed) == ["force InferenceObjective"]


def test_one_that_is_not_wanted_any_more_goes_and_is_watched_until_it_has():
    world = replace(finished(), objectives=there("batch"))
    outcome = planned(workspace(), world)
    assert words(outcome) == ["delete InferenceObjective"]
    assert outcome.desired.dependencies.objectives
    assert words(planned(workspace(), replace(finished(), objectives=there("batch", deleting=True)))) == []


def test_what_an_earlier_process_made_is_looked_for_by_what_the_status_tells():
    told = pack_status({"observedGeneration": 1, "gateway": {"objectives": [f"{NAME}.batch"]}})
    assert planned(replace(workspace(), stored_status=told), finished()).desired.dependencies.objectives


def test_without_a_gateway_side_they_go():
    off = workspace(quickstart(gateway={"enabled": False, "objectives": [INTERACTIVE]}))
    outcome = planned(off, replace(finished(), objectives=there("interactive")))
    assert "delete InferenceObjective" in words(outcome)
    assert outcome.decisions.objectives == ()


def test_behind_a_pool_of_somebody_else_they_are_for_that_pool():
    (manifest,) = manifests(planned(asking(INTERACTIVE, pool={"ref": {"name": "mine"}}), finished()))
    assert manifest["spec"]["poolRef"]["name"] == "mine"


def test_a_missing_crd_is_said_and_all_else_is_planned_as_without_them():
    outcome = planned(asking(INTERACTIVE), replace(finished(), objectives_problem="inferenceobjectives of x cannot be watched"))
    assert words(outcome) == words(planned(workspace(), finished()))
    assert problems(outcome) == [(LinkName.OBJECTIVES, "CRDsNotAvailable")]


LLM_D = ChartSource(name="llm-d", url="oci://ghcr.io/llm-d/charts/llm-d-router-gateway", version="v0.10.0")
FORK = ChartSource(name="fork", url="oci://registry.example/inferencepool-next", layout="inferencepool")
BOTH = replace(SETTINGS, charts=(ChartSource(), LLM_D, FORK))
OLD, NEW = "inference.networking.x-k8s.io/v1alpha2", "llm-d.ai/v1alpha2"
OF_LLM_D = "InferenceObjective.llm-d.ai"


@pytest.mark.parametrize(
    ("chart", "crds", "made"),
    [
        pytest.param("default", {OLD}, [OLD], id="inferencepool"),
        pytest.param("default", {OLD, NEW}, [OLD], id="inferencepool, which does not know the group of llm-d"),
        pytest.param("default", {NEW}, [], id="inferencepool with the CRDs of the inference extension 1.6"),
        pytest.param("fork", {OLD, NEW}, [OLD], id="a fork of it under another name"),
        pytest.param("llm-d", {NEW}, [NEW], id="llm-d"),
        pytest.param("llm-d", {OLD, NEW}, [NEW], id="llm-d, whose picker ignores the old group then"),
        pytest.param("llm-d", {OLD}, [OLD], id="llm-d with the CRDs of the inference extension"),
        pytest.param("llm-d", set(), [], id="no CRD"),
    ],
)
def test_objectives_are_of_the_group_that_the_endpoint_picker_reads(chart, crds, made):
    world = replace(finished(), objectives_of_llm_d=NEW in crds, objectives_problem="" if OLD in crds else f"cannot list {OLD}")
    outcome = planned(asking(INTERACTIVE, chart={"name": chart}), world, BOTH)
    assert [manifest["apiVersion"] for manifest in manifests(outcome)] == made
    assert ((LinkName.OBJECTIVES, "CRDsNotAvailable") in problems(outcome)) == (made == [])
    assert "ObjectivesNotSupported" not in [reason for _, reason in problems(outcome)]
    assert all(manifest["spec"]["poolRef"]["name"] == outcome.decisions.names.release for manifest in manifests(outcome))


@pytest.mark.parametrize(("chart", "way_out"), [("default", "has up to 1.5"), ("llm-d", "or the one of llm-d (llm-d.ai/v1alpha2)")])
def test_a_missing_crd_is_said_with_those_that_help(chart, way_out):
    world = replace(finished(), objectives_problem=f"cannot list or watch inferenceobjectives of {OLD}")
    (message,) = [
        problem.message
        for problem in planned(asking(INTERACTIVE, chart={"name": chart}), world, BOTH).decisions.problems
        if problem.link is LinkName.OBJECTIVES
    ]
    assert message.startswith(f"cannot list or watch inferenceobjectives of {OLD}; install that CRD, ")
    assert way_out in message


def test_objectives_of_llm_d_are_watched_only_where_an_endpoint_picker_may_read_them():
    assert planned(asking(INTERACTIVE), finished(), BOTH).desired.dependencies.objectives_of_llm_d
    assert not planned(asking(INTERACTIVE), finished()).desired.dependencies.objectives_of_llm_d
    assert planned(asking(INTERACTIVE, pool={"ref": {"name": "mine"}}), finished()).desired.dependencies.objectives_of_llm_d
    assert not planned(workspace(), finished(), BOTH).desired.dependencies.objectives_of_llm_d


def test_behind_a_pool_of_somebody_else_they_are_made_in_every_group():
    world = replace(finished(), objectives_of_llm_d=True)
    made = manifests(planned(asking(INTERACTIVE, pool={"ref": {"name": "mine"}}), world))
    assert {manifest["apiVersion"] for manifest in made} == {OLD, NEW}


def test_those_of_before_the_crd_of_llm_d_stay_for_the_picker_that_was_started_with_them():
    world = replace(finished(), objectives_of_llm_d=True, objectives=there("interactive", "batch"))
    outcome = planned(asking(INTERACTIVE, chart={"name": "llm-d"}), world, BOTH)
    assert sorted(manifest["apiVersion"] for manifest in manifests(outcome)) == [OLD, NEW]
    assert [step.ref.name for step in outcome.steps if isinstance(step, Delete)] == [f"{NAME}.batch"]


def test_those_of_llm_d_go_with_its_chart():
    world = replace(finished(), objectives_of_llm_d=True, objectives=there("interactive", kind=OF_LLM_D))
    outcome = planned(asking(INTERACTIVE), world, BOTH)
    assert [manifest["apiVersion"] for manifest in manifests(outcome)] == [OLD]
    assert [step.ref.kind for step in outcome.steps if isinstance(step, Delete)] == [OF_LLM_D]


@pytest.mark.parametrize(("chart", "before", "made"), [("llm-d", "InferenceObjective", [NEW]), ("llm-d", OF_LLM_D, [])])
def test_while_a_former_chart_serves_its_objectives_are_left_to_it(chart, before, made):
    """Its pool is the one that requests go to, and the objectives of each pool name that pool."""
    old = derived()
    former = FormerCharts(pools=(InferencePool(meta("InferencePool", old.release)),))
    rules = (RouteRule(pools=(old.release,)),)
    world = replace(
        finished(),
        former=former,
        pool=None,
        route=replace(finished().route, rules=rules),
        objectives_of_llm_d=True,
        objectives=there("interactive", kind=before),
    )
    outcome = planned(asking(INTERACTIVE, chart={"name": chart}), world, BOTH)
    assert (LinkName.ROUTE, "FormerChartInUse") in problems(outcome)
    assert [manifest["apiVersion"] for manifest in manifests(outcome)] == made
    assert not [step for step in outcome.steps if isinstance(step, Delete) and step.ref.kind.startswith("InferenceObjective")]


@pytest.mark.parametrize(
    ("objectives", "words_"),
    [
        pytest.param([INTERACTIVE, INTERACTIVE], "gateway.objectives need unique names", id="twice"),
        pytest.param([{"name": "a"}], "gateway.objectives[0].priority is not valid: it is required", id="no priority"),
        pytest.param(
            [{"name": "a.b", "priority": 1}], "gateway.objectives[0].name must be a name of lower-case letters", id="a dot"
        ),
        pytest.param([{"name": "a", "priority": 2**31}], "gateway.objectives[0].priority is not valid", id="too important"),
        pytest.param([{"name": f"n{n}", "priority": n} for n in range(17)], "gateway.objectives is not valid", id="too many"),
    ],
)
def test_wrong_ones_are_refused_with_their_path(objectives, words_):
    (problem,) = planned(asking(*objectives), finished()).decisions.problems
    assert (problem.reason, problem.message.startswith(words_)) == ("InvalidSpec", True), problem.message
