"""What all API models share: how they are read, and how their rules get into the CRD."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

PRESERVE: Final[dict[str, Any]] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""Schema of a field whose inside belongs to another API, such as a pod template: the API server checks it where it is used."""


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension for CEL rules, each with the message for those who break it."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


class ApiModel(BaseModel):
    """Base of all API models: frozen, camelCase outside, unknown fields left to the API server's schema.

    Strict, so that no value passes as another JSON type: what the API server refuses, the models refuse.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_as_the_server(cls, given: object) -> object:
        """Take 3.0 for 3, and null for a field that is not given, as the API server does."""
        if not isinstance(given, Mapping):
            return given
        return {key: _whole(value) for key, value in given.items() if value is not None}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
