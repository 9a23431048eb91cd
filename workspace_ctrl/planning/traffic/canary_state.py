"""What identifies a canary, and its state as the status has it."""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError

from workspace_ctrl.api.api_model import ApiModel
from workspace_ctrl.api.conditions import CANARY_BEGUN
from workspace_ctrl.api.inference_set import SetTemplate
from workspace_ctrl.api.inference_spec import Inference
from workspace_ctrl.api.traffic.canary_spec import Canary
from workspace_ctrl.api.traffic.group_status import CanaryStatus, GroupStatus
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.model.canary import CanaryPhase, CanaryPlan, CanaryState
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord

_TRIED: Final[Mapping[str, type[ApiModel]]] = {"resource": Resource, "inference": Inference, "template": SetTemplate}
"""Fields of a Workspace, and of an InferenceSet's spec, of which another value is another version of the model server. The number of copies
is none of them, since autoscalers change it."""
_DIGITS: Final = 8
_WHOLE: Final = 100


def canary_plan(
    workspace: WorkspaceRecord, canary: Canary | None, group: GroupStatus | None, *, is_valid: bool
) -> CanaryPlan | None:
    """Return the steps of a canary whose status says `group`; None for others.

    What identifies a canary whose spec is not valid, and its share, are what its status says, so that it keeps that.
    """
    if canary is None:
        return None
    state = state_in(group, workspace.group)
    steps = tuple(canary.steps)
    if is_valid or state is None:
        revision = _revision(workspace.spec, workspace.meta.ref.kind, workspace.group)
    else:
        revision, steps = state.revision, _steps_with(_told(group, workspace.group), state, steps)
    return CanaryPlan(
        revision=revision,
        steps=steps,
        interval=float(canary.interval_seconds),
        max_error_rate=canary.error_rate,
        max_latency_ratio=math.inf if canary.max_latency_ratio is None else canary.max_latency_ratio,
    )


def _steps_with(told: CanaryStatus | None, state: CanaryState, steps: tuple[int, ...]) -> tuple[int, ...]:
    """Return `steps`, or others if a canary in the state `state` would not have the share then that its status says."""
    share = told.percent if told is not None else None
    if state.phase is not CanaryPhase.PROGRESSING or not isinstance(share, int) or not 0 <= share <= _WHOLE:
        return steps
    return steps if steps[min(state.step, len(steps) - 1)] == share else (share,) * (state.step + 1)


def state_in(group: GroupStatus | None, name: str) -> CanaryState | None:
    """Return how far a canary is in the group `name`, as a status says; None if it says nothing of that, but of another group, say."""
    canary = _told(group, name)
    if canary is None or not isinstance(canary.revision, str) or canary.phase not in set(CanaryPhase):
        return None
    return CanaryState(
        canary.revision,
        CanaryPhase(canary.phase),
        step=_number(canary.step, 1) - 1,
        reason=str(canary.reason or CANARY_BEGUN),
        message=str(canary.message or ""),
        promotion=_number(canary.promotion, 0),
    )


def _number(value: object, least: int) -> int:
    return value if isinstance(value, int) and value > least else least


def _told(group: GroupStatus | None, name: str) -> CanaryStatus | None:
    return group.canary if group is not None and group.name == name else None


@lru_cache(maxsize=256)
def _revision(spec: bytes, kind: str, group: str) -> str:
    """Return what identifies a version in a group: a checksum of the fields of a stored spec that make it up, and of its steps.

    What a default says anyway is no part of it, so that it is the same whether the API server has stored that or not.
    """
    fields: Any = WorkspaceRecord(Meta(ObjectRef(kind, "", "")), spec).fields()
    fields = fields.get("spec", fields)
    tried = {name: _given(model, fields.get(name)) for name, model in _TRIED.items()}
    canary = _given(Canary, fields["gateway"]["group"]["canary"])
    text = json.dumps({name: value for name, value in tried.items() if value} | {"group": group, "canary": canary}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _given(model: type[ApiModel], value: object) -> object:
    """Return what a part of a spec says other than the defaults; all of one that is not valid."""
    try:
        return model.model_validate(value).model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    except ValidationError:
        return value
