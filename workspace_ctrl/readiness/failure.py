"""Which conditions that are False mean that something failed, and which that it is still being made."""

from typing import Final

from workspace_ctrl.api.conditions import ConditionType

DRY_RUN_PENDING: Final = "DryRunPending"
WORKLOAD_NOT_CREATED: Final = "WorkloadNotCreated"
MODEL_SERVER_STARTING: Final = "ModelServerStarting"
NO_PODS: Final = "NoPods"
SCALED_TO_ZERO: Final = "ScaledToZero"

FAILED_WHEN_FALSE: Final = frozenset(
    {ConditionType.WORKLOAD_ACCEPTED, ConditionType.CHART_READY, ConditionType.ENDPOINT_PICKER_READY, ConditionType.ROUTE_READY}
)
"""Links that are Unknown while they are being made; those of the model server are False from the start until it runs."""
STARTING: Final = frozenset({DRY_RUN_PENDING, WORKLOAD_NOT_CREATED, MODEL_SERVER_STARTING})
"""Reasons for which a model server is not ready (yet) and gets ready by itself."""
WITHOUT_PODS: Final = frozenset({NO_PODS, SCALED_TO_ZERO})
"""Reasons for which it is not ready, which somebody may have asked for, and which may last for days."""
