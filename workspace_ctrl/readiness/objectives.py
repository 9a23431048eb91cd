"""Whether the InferenceObjectives of a Workspace exist.

This has its own condition and is no part of GatewayReady: a request with the name of a missing objective is answered, too.
"""

from collections.abc import Iterable, Sequence

from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.records.objectives import InferenceObjective


def objectives_link(wanted: Sequence[str], objectives: Iterable[InferenceObjective], kinds: Sequence[str] = ()) -> Link:
    """Return whether all wanted objectives exist; `kinds` as for `existing_objectives`."""
    name, there = LinkName.OBJECTIVES, existing_objectives(wanted, objectives, kinds)
    missing = [objective for objective in wanted if objective not in there]
    if missing:
        return Link.waiting(name, "ObjectivesNotCreated", f"InferenceObjectives not created yet: {', '.join(missing)}")
    return Link.true(name, "ObjectivesCreated", f"requests can name {', '.join(wanted)} in x-gateway-inference-objective")


def existing_objectives(
    wanted: Sequence[str], objectives: Iterable[InferenceObjective], kinds: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the names of the wanted objectives that exist, in the order of the spec.

    Only those of `kinds` count, which the endpoint picker reads; all if that is not known.
    """
    there = {
        record.meta.ref.name for record in objectives if not record.meta.deleting and (not kinds or record.meta.ref.kind in kinds)
    }
    return tuple(objective for objective in wanted if objective in there)
