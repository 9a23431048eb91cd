"""What the condition DisruptionBudgetReady says."""

import pytest

from tests.unit.factories import NAME, NAMESPACE, meta
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import EvictionLimit
from workspace_ctrl.readiness.scaling.disruption_budget import disruption_budget_link
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.scaling import DisruptionBudget

OURS, A, B = (ObjectRef("PodDisruptionBudget", NAMESPACE, name) for name in (NAME, "a", "b"))
THERE = DisruptionBudget(meta("PodDisruptionBudget"))


@pytest.mark.parametrize(
    ("limit", "budgets", "status", "reason", "words"),
    [
        pytest.param(EvictionLimit(OURS, 1), (), Status.UNKNOWN, "BudgetNotCreated", str(OURS), id="not there yet"),
        pytest.param(
            EvictionLimit(OURS, 1),
            (DisruptionBudget(meta("PodDisruptionBudget", deleting=True)),),
            Status.UNKNOWN,
            "BudgetNotCreated",
            "not been created",
            id="being deleted",
        ),
        pytest.param(EvictionLimit(OURS, 1), (THERE,), Status.TRUE, "EvictionsLimited", "lets one copy be evicted", id="one"),
        pytest.param(EvictionLimit(OURS, 3), (THERE,), Status.TRUE, "EvictionsLimited", "lets 3 copies be", id="three"),
        pytest.param(EvictionLimit(OURS, "25%"), (THERE,), Status.TRUE, "EvictionsLimited", "25% of the copies", id="a percentage"),
        pytest.param(EvictionLimit(OURS, 1, (A,)), (), Status.TRUE, "BudgetOfUser", "is not created beside it", id="of a user"),
        pytest.param(
            EvictionLimit(OURS, 1, (A, B)), (), Status.FALSE, "SeveralBudgets", "delete all but one", id="two of users: no eviction"
        ),
    ],
)
def test_the_condition(limit, budgets, status, reason, words):
    link = disruption_budget_link(limit, budgets)
    assert (link.status, link.reason) == (status, reason)
    assert words in link.message


def test_nothing_is_said_of_a_single_copy():
    assert disruption_budget_link(None, (THERE,)) is None
