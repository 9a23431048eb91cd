"""What all sections of the settings file have in common."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from workspace_ctrl.catalog.data_files import suggestion


class Stanza(BaseModel):
    """Base of all sections of the file: frozen, camelCase, strict."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, given: object) -> object:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in given if isinstance(given, Mapping) else ():
            if key not in known:
                remedy = suggestion(str(key), known, f"use one of {', '.join(known)}")
                raise PydanticCustomError("unknown_key", "is not known; {remedy}", {"key": key, "remedy": remedy})
        return given
