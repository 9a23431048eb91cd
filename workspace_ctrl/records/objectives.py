"""The InferenceObjective: a priority that requests can select. Two API groups have this kind, and endpoint pickers read one of them."""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.labels import OBJECTIVES_GROUP
from workspace_ctrl.records.meta import Json, Meta, parse_meta

OBJECTIVE: Final = "InferenceObjective"


@dataclass(frozen=True, slots=True)
class InferenceObjective:
    """An InferenceObjective of ours; no controller writes its status."""

    meta: Meta


def parse_objective(raw: Json, kind: str) -> InferenceObjective:
    """Return the record of an InferenceObjective."""
    return InferenceObjective(parse_meta(raw, kind))


def objective_kind(group: str) -> str:
    """Return how references name the kind in an API group: in the form of kubectl, except for the group that had it first."""
    return OBJECTIVE if group == OBJECTIVES_GROUP else f"{OBJECTIVE}.{group}"
