"""What is about the number of copies: the ScaledObject of KEDA, and the PodDisruptionBudget."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.labels import POD_LABEL, SET_LABEL
from workspace_ctrl.records.meta import Conditioned, Json, Meta, ObjectRef, conditions_of, parse_meta, spec_of
from workspace_ctrl.records.selectors import Selector, parse_selector

DISRUPTION_BUDGET: Final = "PodDisruptionBudget"
_READY: Final = "Ready"
_PAUSED: Final = "Paused"


@dataclass(frozen=True, slots=True)
class ScaledObject(Conditioned):
    """A ScaledObject with KEDA's conditions, which have no generation."""

    @property
    def is_paused(self) -> bool:
        """Whether KEDA does not scale, because a user wants that."""
        return self.is_true(_PAUSED)

    @property
    def is_unseen(self) -> bool:
        """Whether KEDA has reported nothing yet."""
        ready = self.condition(_READY)
        return ready is None or (ready.status not in {"True", "False"} and not ready.reason)

    @property
    def is_ready(self) -> bool:
        """Whether KEDA reads the load, or did so last."""
        return self.is_true(_READY)

    @property
    def scales(self) -> bool:
        """Whether KEDA scales, as far as it has reported."""
        return self.is_ready and not self.is_paused and not self.meta.deleting


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """How many pods may be evicted at a time, as when a node is drained: ours, or a user's; its status is not read."""

    meta: Meta
    selector: Selector | None = None
    """None if it has no selector, and so selects no pod."""

    @property
    def ref(self) -> ObjectRef:
        """Which object this is."""
        return self.meta.ref

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether it counts a pod with these labels."""
        return self.selector is not None and self.meta.is_usable and self.selector.selects(labels)

    def may_concern(self, workspace: str) -> bool:
        """Whether it may select pods of the Workspace of that name, or has that name; most select those of one Workspace."""
        if self.selector is None or self.meta.ref.name == workspace:
            return self.meta.ref.name == workspace
        labels = {POD_LABEL: workspace, SET_LABEL: workspace}
        return all(entry.holds(labels) for entry in self.selector.requirements if entry.key in labels)


def parse_scaled_object(raw: Json, kind: str) -> ScaledObject:
    """Return the record of a ScaledObject."""
    return ScaledObject(parse_meta(raw, kind), conditions_of(raw))


def parse_disruption_budget(raw: Json, kind: str) -> DisruptionBudget:
    """Return the record of a PodDisruptionBudget."""
    selector = spec_of(raw).get("selector")
    return DisruptionBudget(parse_meta(raw, kind), parse_selector(selector) if isinstance(selector, dict | Mapping) else None)
