"""The ScaledObject of KEDA: how an object is scaled by load."""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.records.meta import Conditioned, Json, conditions_of, parse_meta

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


def parse_scaled_object(raw: Json, kind: str) -> ScaledObject:
    """Return the record of a ScaledObject."""
    return ScaledObject(parse_meta(raw, kind), conditions_of(raw))
