"""The part of an InferenceSet's status about its scaling."""

from datetime import datetime, timedelta
from typing import Final

from workspace_ctrl.api.conditions import format_time
from workspace_ctrl.api.status import AutoscalingStatus
from workspace_ctrl.model.cold_start import ColdStart
from workspace_ctrl.model.plan_decisions import Scaling
from workspace_ctrl.records.scaling import ScaledObject

_ROUNDING: Final = timedelta(seconds=2)
"""Two calculations of one time differ by at most that, so that it is written once."""


def autoscaling_status(
    scaling: Scaling | None, scaled: ScaledObject | None, cold_start: ColdStart, before: AutoscalingStatus | None, now: datetime
) -> AutoscalingStatus | None:
    """Return how the set is scaled; None if it is not, and no ScaledObject is left. What is known of earlier starts is kept."""
    if scaling is None and scaled is None:
        return None
    before = before or AutoscalingStatus()
    return AutoscalingStatus(
        scaled_object=scaled.ref.name if scaled is not None else None,
        min_replicas=scaling.least if scaling is not None else None,
        max_replicas=scaling.most if scaling is not None else None,
        cold_start_seconds=round(cold_start.took) if cold_start.took is not None else before.cold_start_seconds,
        cold_start_time=_ended(cold_start.ended_ago, before.cold_start_time, now),
    )


def _ended(ago: float | None, before: str | None, now: datetime) -> str | None:
    if ago is None:
        return before
    ended = now - timedelta(seconds=ago)
    near = {format_time(ended + shift) for shift in (-_ROUNDING, -_ROUNDING / 2, timedelta(), _ROUNDING / 2, _ROUNDING)}
    return before if before in near else format_time(ended)
