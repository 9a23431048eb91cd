"""The section `modelIndex` of the settings file."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from workspace_ctrl.planning.plan_settings import ALL, SAME, ModelIndexSettings
from workspace_ctrl.settings.stanza import Stanza
from workspace_ctrl.settings.value_types import NAMESPACE_PATTERN, Name, Namespace

_DEFAULT = ModelIndexSettings()


class ServiceReference(Stanza):
    """A Service, and the port that is used."""

    namespace: Namespace
    name: Name
    port: int = Field(default=_DEFAULT.port, ge=1, le=65535)


def _namespaces(given: Any) -> str | tuple[str, ...]:  # noqa: ANN401 - whatever the file has
    """Return whose models are listed: a word, or the names of namespaces."""
    if given in (SAME, ALL):
        return str(given)
    is_list = isinstance(given, list) and bool(given)
    if not is_list or not all(isinstance(name, str) and re.fullmatch(NAMESPACE_PATTERN, name) for name in given):
        raise PydanticCustomError("rule", "must be same, all, or a list of namespaces, such as [team-a, team-b]")
    return tuple(given)


class ModelIndexStanza(Stanza):
    """Whether each Gateway with models gets a route to the list of its models, and which models it has."""

    enabled: bool = False
    namespaces: Annotated[Any, BeforeValidator(_namespaces)] = SAME
    service: ServiceReference | None = None

    @model_validator(mode="after")
    def _has_a_service(self) -> "ModelIndexStanza":
        if self.enabled and self.service is None:
            raise PydanticCustomError("rule", "needs service, that of the pods that run workspace-ctrl model-index; set it")
        return self

    def settings(self) -> ModelIndexSettings:
        """Return the settings for planning."""
        if self.service is None:
            return ModelIndexSettings(self.enabled, self.namespaces)
        return ModelIndexSettings(self.enabled, self.namespaces, self.service.namespace, self.service.name, self.service.port)
