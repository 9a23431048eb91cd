"""The section of the settings file about model servers."""

from typing import Literal

from pydantic import Field

from workspace_ctrl.planning.plan_settings import BudgetSettings
from workspace_ctrl.settings.stanza import Stanza
from workspace_ctrl.settings.value_types import CountOrPercentage, Folder, Name, Resources


class DisruptionBudgetStanza(Stanza):
    """The PodDisruptionBudgets of model servers with several copies."""

    enabled: bool = True
    max_unavailable: CountOrPercentage = 1

    def settings(self) -> BudgetSettings:
        """Return the settings for planning."""
        return BudgetSettings(self.enabled, self.max_unavailable)


class ModelServerSettings(Stanza):
    """Settings of all model servers."""

    disruption_budget: DisruptionBudgetStanza = Field(default_factory=DisruptionBudgetStanza)
    image: str | None = Field(default=None, min_length=1)
    local_weights: Folder | None = None
    priority_class_name: Name | None = None
    resources: Resources | None = None
    updates: Literal["OnSpecChange", "Always"] = "OnSpecChange"
