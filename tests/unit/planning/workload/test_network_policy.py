"""Models on several nodes: only pods of the same Workspace reach the ports between them; models on one node cost nothing for it."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, SETTINGS, meta, workspace
from tests.unit.planning.preset.test_preset_workload import TWO_NODES
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, DryRunWorkload
from workspace_ctrl.records.managed_fields import packed
from workspace_ctrl.records.workloads import NetworkPolicy, Workload

OFF = replace(SETTINGS, gateway_extension=False)
SEVERAL, ONE = workspace(**TWO_NODES), workspace()
POLICY = NetworkPolicy(meta("NetworkPolicy"))


def planned(record, world, settings: PlanSettings = OFF):
    """The plan once the API server has accepted the workload."""
    first = plan(record, world, settings)
    for step in first.steps:
        if isinstance(step, DryRunWorkload):
            accepted = DryRun(applied_hash(step.manifest), kind=step.manifest["kind"])
            return plan(record, replace(world, query_results=QueryResults(accepted)), settings)
    return first


def policies(outcome):
    return [step.manifest for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == "NetworkPolicy"]


def test_pods_on_several_nodes_are_reached_by_each_other_and_at_the_port_of_requests_only():
    outcome = planned(SEVERAL, Snapshot())
    (policy,) = policies(outcome)
    pods = {"matchLabels": {"kaito.sh/workspace": NAME}}
    assert policy["spec"] == {
        "podSelector": pods,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": pods}]}, {"ports": [{"protocol": "TCP", "port": 5000}]}],
    }
    (workload,) = [step.manifest for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == "StatefulSet"]
    assert workload["spec"]["template"]["metadata"]["labels"].items() >= pods["matchLabels"].items()
    assert outcome.desired.dependencies.network_policy == NAME


def test_pods_on_one_node_have_no_policy_and_no_watch_of_one():
    outcome = planned(ONE, Snapshot())
    assert policies(outcome) == []
    assert outcome.desired.dependencies.network_policy == ""


def test_a_policy_that_is_there_is_not_written_again():
    (policy,) = policies(planned(SEVERAL, Snapshot()))
    fields = {"f:metadata": {"f:annotations": {}, "f:labels": {}}, "f:spec": {}}
    live = NetworkPolicy(replace(meta("NetworkPolicy", hash_=applied_hash(policy)), owned=packed(fields)))
    outcome = planned(SEVERAL, Snapshot(network_policy=live))
    assert all(step.repairs for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == "NetworkPolicy")
    edited = NetworkPolicy(meta("NetworkPolicy", hash_="another"))
    assert policies(planned(SEVERAL, Snapshot(network_policy=edited))) == [policy]


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(Snapshot(network_policy=POLICY), id="observed"),
        pytest.param(Snapshot(workloads=(Workload(meta("StatefulSet")),)), id="after a restart, before it is observed"),
    ],
)
def test_a_model_that_fits_one_node_now_is_followed_until_its_policy_is_deleted(world):
    outcome = planned(ONE, world)
    assert outcome.desired.dependencies.network_policy == NAME
    deleted = [step.ref.kind for step in outcome.steps if isinstance(step, Delete)]
    assert ("NetworkPolicy" in deleted) == (world.network_policy is not None)


def test_a_policy_of_others_with_the_name_is_a_problem_and_stays():
    theirs = NetworkPolicy(meta("NetworkPolicy", owner="somebody"))
    outcome = planned(SEVERAL, Snapshot(network_policy=theirs))
    assert policies(outcome) == []
    assert [problem.reason for problem in outcome.decisions.problems] == ["NotOwned"]
    assert not any(isinstance(step, Delete) for step in planned(ONE, Snapshot(network_policy=theirs)).steps)


def test_without_the_right_to_policies_no_pods_are_exposed():
    outcome = planned(SEVERAL, Snapshot(network_policy_problem="cannot list or watch networkpolicies of networking.k8s.io/v1"))
    (problem,) = outcome.decisions.problems
    assert problem.reason == "NetworkPolicyNotPermitted"
    assert "grant list, watch, create, patch and delete on networkpolicies" in problem.message
    assert not any(isinstance(step, Apply) for step in outcome.steps)
    assert planned(ONE, Snapshot(network_policy_problem="cannot")).decisions.problems == ()


def test_without_the_right_to_policies_there_is_no_gateway_side_either():
    permitted, forbidden = Snapshot(), Snapshot(network_policy_problem="cannot list or watch networkpolicies")
    kinds = [
        {step.manifest["kind"] for step in planned(SEVERAL, world, SETTINGS).steps if isinstance(step, Apply)}
        for world in (permitted, forbidden)
    ]
    assert "OCIRepository" in kinds[0]
    assert kinds[1] == set()
