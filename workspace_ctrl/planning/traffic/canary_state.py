"""What identifies a canary, and its state as the status has it."""

import hashlib
import json
import math
from functools import lru_cache
from typing import Any, Final

from workspace_ctrl.api.traffic.canary_spec import Canary
from workspace_ctrl.api.traffic.group_status import GroupStatus
from workspace_ctrl.model.canary import CanaryPhase, CanaryPlan, CanaryState
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord

_TRIED: Final = ("resource", "inference", "template")
"""Fields of a Workspace, and of an InferenceSet's spec, of which another value is another version of the model server. The number of copies
is none of them, since autoscalers change it."""
_DIGITS: Final = 8


def canary_plan(
    workspace: WorkspaceRecord, canary: Canary | None, state: CanaryState | None, *, is_valid: bool
) -> CanaryPlan | None:
    """Return the steps of a canary; None for others.

    What identifies a canary whose spec is not valid is what its status says, so that it keeps its share.
    """
    if canary is None:
        return None
    revision = _revision(workspace.spec, workspace.meta.ref.kind) if is_valid or state is None else state.revision
    return CanaryPlan(
        revision=revision,
        steps=tuple(canary.steps),
        interval=float(canary.interval_seconds),
        max_error_rate=canary.error_rate,
        max_latency_ratio=math.inf if canary.max_latency_ratio is None else canary.max_latency_ratio,
    )


def state_in(group: GroupStatus | None) -> CanaryState | None:
    """Return how far a canary is as a status says; None if it says nothing of it that can be read."""
    canary = group.canary if group is not None else None
    if canary is None or not isinstance(canary.revision, str) or canary.phase not in set(CanaryPhase):
        return None
    step = canary.step if isinstance(canary.step, int) and canary.step > 0 else 1
    reason, message = str(canary.reason or "CanaryInProgress"), str(canary.message or "")
    return CanaryState(canary.revision, CanaryPhase(canary.phase), step - 1, reason, message)


@lru_cache(maxsize=256)
def _revision(spec: bytes, kind: str) -> str:
    """Return what identifies a version: a checksum of the fields of a stored spec that make it up, and of its steps."""
    fields: Any = WorkspaceRecord(Meta(ObjectRef(kind, "", "")), spec).fields()
    fields = fields.get("spec", fields)
    tried = {name: fields.get(name) for name in _TRIED} | {"canary": fields["gateway"]["group"]["canary"]}
    text = json.dumps(tried, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
