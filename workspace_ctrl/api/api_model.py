"""Base of the API models: how they are parsed, and how their validation rules get into the CRD."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

PRESERVE: Final[dict[str, Any]] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""Schema of a field whose content belongs to another API, such as a pod template: the API server validates it on use."""


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension for CEL rules, each with its error message."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


class ApiModel(BaseModel):
    """Base of all API models: frozen, camelCase in JSON, unknown fields ignored (the API server prunes them).

    Strict, so that no value is converted from another JSON type: the models reject what the API server rejects.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_as_the_server(cls, given: object) -> object:
        """Treat 3.0 as 3, and null as a missing field, as the API server does."""
        if not isinstance(given, Mapping):
            return given
        return {key: _whole(value) for key, value in given.items() if value is not None}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
