"""Which False conditions mean a failure, and which mean that the object is still starting."""

from typing import Final

from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.records.meta import ObjectRef

DRY_RUN_PENDING: Final = "DryRunPending"
WORKLOAD_NOT_CREATED: Final = "WorkloadNotCreated"
MODEL_SERVER_STARTING: Final = "ModelServerStarting"
NO_PODS: Final = "NoPods"
SCALED_TO_ZERO: Final = "ScaledToZero"
STARTING_FROM_ZERO: Final = "StartingFromZero"
HELD: Final = frozenset({SCALED_TO_ZERO, STARTING_FROM_ZERO})
"""Reasons of a True condition of a set without a ready copy, whose requests are held until one is ready."""
NAME_TAKEN: Final = "NameTaken"

FAILED_WHEN_FALSE: Final = frozenset(
    {ConditionType.WORKLOAD_ACCEPTED, ConditionType.CHART_READY, ConditionType.ENDPOINT_PICKER_READY, ConditionType.ROUTE_READY}
)
"""Conditions that are Unknown during the start and False only on failure. Those of the model server are False until it runs."""
STARTING: Final = frozenset({DRY_RUN_PENDING, WORKLOAD_NOT_CREATED, MODEL_SERVER_STARTING})
"""Reasons of a model server that is not ready yet and becomes ready without a change."""
WITHOUT_PODS: Final = frozenset({NO_PODS, SCALED_TO_ZERO})
"""Reasons of a model server without pods, which a user may want and which may last for days."""


def held_reason(wanted: int | None) -> str:
    """Return the reason of a condition that is True because requests are held, if so many copies are wanted."""
    return STARTING_FROM_ZERO if wanted else SCALED_TO_ZERO


def scaled_to_zero(ref: ObjectRef) -> str:
    """Return that an InferenceSet has no pods, and how it gets one."""
    command = f"kubectl scale {ref.kind.lower()} {ref.name} -n {ref.namespace} --replicas=1"
    return f"{ref} is scaled to 0, so no pod answers requests; to start one: {command}"
