"""Whether the InferenceObjectives of a Workspace exist.

This has its own condition and is no part of GatewayReady: a request with the name of a missing objective is answered, too.
"""

from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.snapshot import Snapshot


def objectives_link(decisions: Decisions, snapshot: Snapshot) -> Link | None:
    """Return whether all wanted objectives exist; None if none are wanted."""
    name, wanted = LinkName.OBJECTIVES, decisions.objectives
    if not wanted:
        return None
    problem = decisions.problem(name)
    if problem is not None:
        return Link.of_problem(problem)
    there = objectives_of(decisions, snapshot)
    missing = [objective for objective in wanted if objective not in there]
    if missing:
        return Link.waiting(name, "ObjectivesNotCreated", f"InferenceObjectives not created yet: {', '.join(missing)}")
    return Link.true(name, "ObjectivesCreated", f"requests can name {', '.join(wanted)} in x-gateway-inference-objective")


def objectives_of(decisions: Decisions, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the names of the wanted objectives that exist, in the order of the spec."""
    there = {record.meta.ref.name for record in snapshot.objectives if not record.meta.deleting}
    return tuple(objective for objective in decisions.objectives if objective in there)
