"""The PodDisruptionBudget: for several copies, one for all their pods, never beside one of a user, and never for a single copy."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, SETTINGS, deployment, meta, pod, workspace
from tests.unit.planning.test_inference_set import LARGE, POD_TEMPLATE, SMALL, UID, raw, record
from tests.unit.planning.workload.test_network_policy import planned as planned_once_accepted
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.labels import COPY_LABEL, POD_LABEL
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan_settings import BudgetSettings, Mode
from workspace_ctrl.planning.preview_cluster import simulated_cluster
from workspace_ctrl.planning.steps import Apply, Delete
from workspace_ctrl.records.managed_fields import packed
from workspace_ctrl.records.scaling import DisruptionBudget, parse_disruption_budget
from workspace_ctrl.records.selectors import parse_selector

OF_THE_SET = parse_selector({"matchLabels": {POD_LABEL: NAME}})


def planned(document, settings=SETTINGS, **observed):
    """What the InferenceSet `document` leads to in a cluster with the objects of `observed`."""
    world = replace(simulated_cluster(record(document), Dependencies(), (), settings), **observed)
    return planned_once_accepted(record(document), world, settings)


def budgets(outcome):
    return [step.manifest for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == "PodDisruptionBudget"]


def deleted(outcome):
    return [step.ref.name for step in outcome.steps if isinstance(step, Delete) and step.ref.kind == "PodDisruptionBudget"]


def ours(**fields):
    return DisruptionBudget(meta("PodDisruptionBudget", owner=UID, **fields), OF_THE_SET)


def theirs(name="theirs", selector=OF_THE_SET):
    return DisruptionBudget(replace(meta("PodDisruptionBudget", name, owner=""), workspace=""), selector)


def limited(most):
    return replace(SETTINGS, budgets=BudgetSettings(max_unavailable=most))


@pytest.mark.parametrize("inference", [SMALL, {"template": POD_TEMPLATE}], ids=["preset", "template"])
def test_one_of_several_copies_may_be_evicted_at_a_time(inference):
    (found,) = budgets(planned(raw(inference, replicas=3)))
    assert (found["apiVersion"], found["metadata"]["name"]) == ("policy/v1", NAME)
    assert found["metadata"]["ownerReferences"][0]["uid"] == UID
    assert found["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {POD_LABEL: NAME}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_single_copy_has_none_and_no_watch_of_one(replicas):
    outcome = planned(raw(replicas=replicas))
    assert budgets(outcome) == []
    assert outcome.decisions.eviction_limit is None
    assert not outcome.desired.dependencies.budgets


@pytest.mark.parametrize(
    ("inference", "most", "replicas", "pods"),
    [
        pytest.param(SMALL, 2, 5, 2, id="copies on a node each: as many pods"),
        pytest.param(SMALL, "25%", 5, "25%", id="a percentage, of which Kubernetes makes pods"),
        pytest.param(LARGE, 1, 2, 1, id="copies of three pods: one pod, and with it its copy"),
        pytest.param(LARGE, 2, 4, 2, id="a pod of two copies"),
        pytest.param(LARGE, "30%", 5, 2, id="a percentage of the copies, not of their pods"),
        pytest.param(LARGE, "1%", 2, 1, id="never none"),
        pytest.param(LARGE, "50%", 202, 101, id="half of many"),
    ],
)
def test_the_limit_counts_copies(inference, most, replicas, pods):
    (found,) = budgets(planned(raw(inference, replicas=replicas), limited(most)))
    assert found["spec"]["maxUnavailable"] == pods


def test_copies_beyond_the_limit_of_nodes_do_not_count():
    assert budgets(planned(raw(replicas=4, nodeCountLimit=1))) == []


@pytest.mark.parametrize(
    ("live", "count"),
    [
        pytest.param((), 0, id="not created yet"),
        pytest.param((deployment(),), 0, id="one replica"),
        pytest.param((deployment(replicas=3),), 1, id="scaled by a user or an autoscaler"),
        pytest.param((deployment(replicas=3, owner="somebody"),), 0, id="a Deployment of somebody else"),
    ],
)
def test_a_workspace_has_one_while_its_deployment_is_scaled(live, count):
    outcome = planned_once_accepted(workspace(), Snapshot(workloads=live), replace(SETTINGS, gateway_extension=False))
    assert len(budgets(outcome)) == count
    assert outcome.desired.dependencies.budgets == bool(count)


def test_the_pods_of_kaito_get_none():
    outcome = planned_once_accepted(
        workspace(), Snapshot(workloads=(deployment(replicas=3),)), replace(SETTINGS, mode=Mode.COMPANION)
    )
    assert (budgets(outcome), outcome.desired.dependencies.budgets) == ([], False)


def test_what_is_there_is_not_written_again_and_an_edit_is_reverted():
    (wanted,) = budgets(planned(raw(replicas=3)))
    fields = {"f:metadata": {"f:annotations": {}, "f:labels": {}}, "f:spec": {}}
    there = ours(hash_=applied_hash(wanted), owned=packed(fields))
    again = planned(raw(replicas=3), budgets=(there,))
    assert all(step.repairs for step in again.steps if isinstance(step, Apply) and step.manifest == wanted)
    assert budgets(planned(raw(replicas=3), budgets=(ours(hash_="another"),))) == [wanted]


def test_scaled_to_one_copy_it_is_deleted():
    outcome = planned(raw(replicas=1), budgets=(ours(), theirs()))
    assert (budgets(outcome), deleted(outcome)) == ([], [NAME])
    assert outcome.desired.dependencies.budgets


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param(OF_THE_SET, id="by the Workspace"),
        pytest.param(parse_selector({}), id="all pods of the namespace"),
        pytest.param(parse_selector({"matchExpressions": [{"key": POD_LABEL, "operator": "Exists"}]}), id="all models"),
        pytest.param(parse_selector({"matchLabels": {"team": "a"}}), id="by a label that only the running pods have"),
    ],
)
def test_beside_one_of_a_user_none_is_created_and_ours_goes(selector):
    running = pod(labels={POD_LABEL: NAME, "team": "a"})
    outcome = planned(raw(replicas=3), budgets=(ours(), theirs(selector=selector)), pods=(running,))
    assert (budgets(outcome), deleted(outcome)) == ([], [NAME])
    assert [ref.name for ref in outcome.decisions.eviction_limit.users] == ["theirs"]


def test_one_of_a_user_for_a_single_copy_of_several_pods_counts():
    selector = parse_selector({"matchLabels": {POD_LABEL: NAME, COPY_LABEL: "1"}})
    assert budgets(planned(raw(LARGE, replicas=2), budgets=(theirs(selector=selector),))) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(theirs(selector=None), id="no selector"),
        pytest.param(theirs(selector=parse_selector({"matchLabels": {POD_LABEL: "other"}})), id="another model"),
        pytest.param(
            DisruptionBudget(meta("PodDisruptionBudget", "theirs", owner="", deleting=True), OF_THE_SET), id="being deleted"
        ),
    ],
)
def test_one_that_selects_no_pod_of_the_set_does_not_count(other):
    assert len(budgets(planned(raw(replicas=3), budgets=(other,)))) == 1


def test_one_of_a_user_with_our_name_is_used_as_it_is_unless_it_is_to_be_adopted():
    same_name = theirs(NAME)
    outcome = planned(raw(replicas=3), budgets=(same_name,))
    assert (budgets(outcome), deleted(outcome)) == ([], [])
    adopting = raw(replicas=3)
    adopting["metadata"]["annotations"] = {"workspace-ctrl/adopt": "PodDisruptionBudget"}
    assert len(budgets(planned(adopting, budgets=(same_name,)))) == 1
    other = theirs(NAME, parse_selector({"matchLabels": {"app": "x"}}))
    (problem,) = planned(raw(replicas=3), budgets=(other,)).decisions.problems
    assert (problem.link, problem.reason) == (LinkName.DISRUPTION_BUDGET, "NotOwned")


def test_without_rights_the_set_is_served_all_the_same():
    outcome = planned(raw(replicas=3), budgets_problem="cannot list or watch poddisruptionbudgets of policy/v1")
    problem = outcome.decisions.problem(LinkName.DISRUPTION_BUDGET)
    assert problem.reason == "BudgetsNotPermitted"
    assert "grant list, watch, create, patch and delete on poddisruptionbudgets" in problem.message
    assert budgets(outcome) == []
    assert "Deployment" in {step.manifest["kind"] for step in outcome.steps if isinstance(step, Apply)}


def test_switched_off_those_of_before_are_deleted_also_after_a_restart():
    off = replace(SETTINGS, budgets=BudgetSettings(enabled=False))
    assert not planned(raw(replicas=3), off).desired.dependencies.budgets
    outcome = planned(raw(replicas=3), off, budgets=(ours(),))
    assert (budgets(outcome), deleted(outcome), outcome.decisions.eviction_limit) == ([], [NAME], None)
    document = raw(replicas=3)
    document["status"] = {"conditions": [Condition("DisruptionBudgetReady", "True", "EvictionsLimited").as_object()]}
    assert planned(document, off).desired.dependencies.budgets


@pytest.mark.parametrize(
    ("selector", "concerned"),
    [
        pytest.param({"matchLabels": {POD_LABEL: NAME}}, True, id="this model"),
        pytest.param({"matchLabels": {POD_LABEL: "other"}}, False, id="another one"),
        pytest.param({"matchExpressions": [{"key": POD_LABEL, "operator": "In", "values": ["other", NAME]}]}, True, id="several"),
        pytest.param({"matchLabels": {"inferenceset.kaito.sh/created-by": "other"}}, False, id="another set"),
        pytest.param({"matchLabels": {"app": "x"}}, True, id="perhaps"),
        pytest.param({}, True, id="all pods"),
        pytest.param(None, False, id="no pod"),
    ],
)
def test_a_pass_is_made_only_for_models_whose_pods_it_may_select(selector, concerned):
    spec = {"selector": selector} if selector is not None else {}
    found = parse_disruption_budget({"metadata": {"name": "any"}, "spec": spec}, "PodDisruptionBudget")
    assert found.may_concern(NAME) is concerned
