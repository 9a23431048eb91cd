"""What the model hub has answered about a model that is not in the catalog."""

from dataclasses import dataclass

from workspace_ctrl.catalog.hub_model import HubModel


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """The figures of a model, or why there are none."""

    found: HubModel | None = None
    reason: str = ""
    """Reason of the condition; empty if there are figures."""
    message: str = ""
    terminal: bool = False
    """Whether it needs a change by a user; it is asked for again nevertheless, because the hub may change, too."""
