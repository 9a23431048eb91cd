"""The InferenceObjective: a priority that requests can select."""

from dataclasses import dataclass

from workspace_ctrl.records.meta import Json, Meta, parse_meta


@dataclass(frozen=True, slots=True)
class InferenceObjective:
    """An InferenceObjective of ours; no controller writes its status."""

    meta: Meta


def parse_objective(raw: Json, kind: str) -> InferenceObjective:
    """Return the record of an InferenceObjective."""
    return InferenceObjective(parse_meta(raw, kind))
