"""InferenceObjectives: made, changed and removed with the spec; what hinders them breaks nothing else."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, derived, meta, quickstart, workspace
from tests.unit.planning.test_plan import finished, words
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource
from workspace_ctrl.planning.steps import Apply
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


def there(*names, hash_="", **fields):
    return tuple(InferenceObjective(meta("InferenceObjective", f"{NAME}.{name}", hash_=hash_, **fields)) for name in names)


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
    assert outcome.dependencies.objectives


def test_a_workspace_without_any_is_not_watched_for_them():
    outcome = planned(workspace(), finished())
    assert (words(outcome), outcome.dependencies.objectives, outcome.decisions.objectives) == ([], False, ())


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
    assert outcome.dependencies.objectives
    assert words(planned(workspace(), replace(finished(), objectives=there("batch", deleting=True)))) == []


def test_what_an_earlier_process_made_is_looked_for_by_what_the_status_tells():
    told = pack_status({"observedGeneration": 1, "gateway": {"objectives": [f"{NAME}.batch"]}})
    assert planned(replace(workspace(), stored_status=told), finished()).dependencies.objectives


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


def test_an_endpoint_picker_that_does_not_read_them_is_said():
    llm_d = replace(SETTINGS, charts=(ChartSource(url="oci://ghcr.io/llm-d/charts/llm-d-router-gateway", version="v0.10.0"),))
    assert (LinkName.OBJECTIVES, "ObjectivesNotSupported") in problems(planned(asking(INTERACTIVE), finished(), llm_d))


@pytest.mark.parametrize(
    ("objectives", "words_"),
    [
        pytest.param([INTERACTIVE, INTERACTIVE], "gateway.objectives need unique names", id="twice"),
        pytest.param([{"name": "a"}], "gateway.objectives[0].priority is not valid: Field required", id="no priority"),
        pytest.param([{"name": "a.b", "priority": 1}], "gateway.objectives[0].name is not valid", id="a dot"),
        pytest.param([{"name": "a", "priority": 2**31}], "gateway.objectives[0].priority is not valid", id="too important"),
        pytest.param([{"name": f"n{n}", "priority": n} for n in range(17)], "gateway.objectives is not valid", id="too many"),
    ],
)
def test_wrong_ones_are_refused_with_their_path(objectives, words_):
    (problem,) = planned(asking(*objectives), finished()).decisions.problems
    assert (problem.reason, problem.message.startswith(words_)) == ("InvalidSpec", True), problem.message
