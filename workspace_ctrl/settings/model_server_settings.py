"""The section of the settings file about model servers."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from workspace_ctrl.planning.plan_settings import BudgetSettings
from workspace_ctrl.planning.preset.installed_environment import CertificateBundle, environment_problem
from workspace_ctrl.settings.stanza import Stanza
from workspace_ctrl.settings.value_types import CountOrPercentage, DataKey, Folder, Image, Name, PresetResources, VariableName


class DisruptionBudgetStanza(Stanza):
    """The PodDisruptionBudgets of model servers with several copies."""

    enabled: bool = True
    max_unavailable: CountOrPercentage = 1

    def settings(self) -> BudgetSettings:
        """Return the settings for planning."""
        return BudgetSettings(self.enabled, self.max_unavailable)


class EnvironmentVariable(Stanza):
    """An environment variable; without references to Secrets, which would have to be in each namespace."""

    name: VariableName
    value: str


class CaBundleStanza(Stanza):
    """A ConfigMap of each namespace with Workspaces, with the certificates of authorities."""

    config_map: Name
    key: DataKey = "ca.crt"


class ModelServerSettings(Stanza):
    """Settings of all model servers."""

    ca_bundle: CaBundleStanza | None = None
    disruption_budget: DisruptionBudgetStanza = Field(default_factory=DisruptionBudgetStanza)
    env: list[EnvironmentVariable] = Field(default_factory=list)
    image: Image | None = None
    local_weights: Folder | None = None
    priority_class_name: Name | None = None
    resources: PresetResources | None = None
    updates: Literal["OnSpecChange", "Always"] = "OnSpecChange"

    @model_validator(mode="after")
    def _env_can_be_set(self) -> "ModelServerSettings":
        problem = environment_problem(self.variables(), has_bundle=self.ca_bundle is not None)
        if problem:
            raise PydanticCustomError("rule", "env {problem}", {"problem": problem})
        return self

    def variables(self) -> tuple[tuple[str, str], ...]:
        """Return the names and values of the environment variables, for planning."""
        return tuple((variable.name, variable.value) for variable in self.env)

    def certificates(self) -> CertificateBundle | None:
        """Return where the certificates of authorities are, for planning; None if there are none."""
        return CertificateBundle(self.ca_bundle.config_map, self.ca_bundle.key) if self.ca_bundle is not None else None
