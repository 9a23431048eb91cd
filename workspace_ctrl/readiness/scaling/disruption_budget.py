"""Whether a PodDisruptionBudget limits how many copies of a model server are evicted at a time.

This has its own condition and is no part of Ready, because requests are answered without it.
"""

from collections.abc import Iterable

from workspace_ctrl.model.plan_decisions import EvictionLimit, LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.records.scaling import DisruptionBudget


def disruption_budget_link(limit: EvictionLimit | None, budgets: Iterable[DisruptionBudget]) -> Link | None:
    """Return whether the pods are selected by one budget; None if none is wanted."""
    if limit is None:
        return None
    name, users = LinkName.DISRUPTION_BUDGET, limit.users
    if len(users) > 1:
        listed = " and ".join(map(str, users))
        return Link.broken(
            name, "SeveralBudgets", f"{listed} select the same pods, which therefore cannot be evicted; delete all but one"
        )
    if users:
        text = f"{users[0]}, which is not managed by workspace-ctrl, selects the pods; {limit.budget} is not created beside it"
        return Link.true(name, "BudgetOfUser", f"{text}, because pods with two budgets cannot be evicted")
    if not any(budget.ref == limit.budget and budget.meta.is_usable for budget in budgets):
        return Link.waiting(name, "BudgetNotCreated", f"{limit.budget} has not been created yet")
    return Link.true(name, "EvictionsLimited", f"{limit.budget} lets {_copies(limit.max_unavailable)} be evicted at a time")


def _copies(most: int | str) -> str:
    if isinstance(most, str):
        return f"{most} of the copies"
    return "one copy" if most == 1 else f"{most} copies"
