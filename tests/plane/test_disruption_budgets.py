"""PodDisruptionBudgets on a real API server: they follow the number of copies, and stand back behind those of users."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until

KIND = "inferenceset"
NAME = "phi"
BUDGET = "poddisruptionbudget"


def budgets(cluster, namespace):
    return {item["metadata"]["name"] for item in workspaces.items(cluster, namespace, BUDGET)}


def told(cluster, namespace):
    return workspaces.condition(cluster, namespace, NAME, "DisruptionBudgetReady", kind=KIND).get("reason", "")


def scale(cluster, namespace, replicas):
    cluster.kubectl("scale", KIND, NAME, "-n", namespace, f"--replicas={replicas}", actor="user")


def create(cluster, namespace, name, labels):
    spec = {"minAvailable": 1, "selector": {"matchLabels": labels}}
    document = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(document), actor="user")


@pytest.fixture
def one_copy(installed, plane_namespace):
    """A set with one copy."""
    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, workspaces.inference_set(NAME, gateway={"enabled": False}))
        workspaces.wait_reason(installed, plane_namespace, NAME, "Ready", "Ready", kind=KIND)
        yield controller


def test_there_is_one_while_there_are_several_copies(installed, plane_namespace, one_copy):
    cluster, namespace = installed, plane_namespace
    assert not any(target.startswith("poddisruptionbudgets") for _, target in one_copy.calls(namespace))
    scale(cluster, namespace, 3)
    workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "EvictionsLimited", kind=KIND)
    spec = workspaces.get(cluster, namespace, BUDGET, NAME)["spec"]
    change = json.dumps({"spec": {"maxUnavailable": 0}})
    cluster.kubectl("patch", BUDGET, NAME, "-n", namespace, "--type=merge", "-p", change, actor="user")
    until(lambda: workspaces.get(cluster, namespace, BUDGET, NAME)["spec"] == spec, "what nobody could drain with to be reverted")
    cluster.kubectl("delete", BUDGET, NAME, "-n", namespace, actor="user")
    until(lambda: NAME in budgets(cluster, namespace), "one that is deleted to be back")
    scale(cluster, namespace, 1)
    workspaces.wait_gone(cluster, namespace, BUDGET, NAME)
    until(lambda: told(cluster, namespace) == "", "nothing to be said of it any more")


@pytest.mark.usefixtures("one_copy")
def test_one_of_a_user_takes_its_place_and_gives_it_back(installed, plane_namespace):
    cluster, namespace = installed, plane_namespace
    scale(cluster, namespace, 2)
    workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "EvictionsLimited", kind=KIND)
    create(cluster, namespace, "unrelated", {"app": "web"})
    create(cluster, namespace, "mine", {"inferenceset.kaito.sh/created-by": NAME})
    until(lambda: budgets(cluster, namespace) == {"mine", "unrelated"}, "the controller's own to go")
    workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "BudgetOfUser", kind=KIND)
    create(cluster, namespace, "second", {"kaito.sh/workspace": NAME})
    workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "SeveralBudgets", kind=KIND)
    assert workspaces.condition(cluster, namespace, NAME, "Ready", kind=KIND)["status"] == "True"
    cluster.kubectl("delete", BUDGET, "mine", "second", "-n", namespace, actor="user")
    workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "EvictionsLimited", kind=KIND)
    assert budgets(cluster, namespace) == {NAME, "unrelated"}
