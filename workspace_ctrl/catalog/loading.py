"""Reads the catalog's data files into typed rows."""

from importlib import resources
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

RowT = TypeVar("RowT", bound="Row")


class Row(BaseModel):
    """One row of a data file: frozen, and unknown keys are an error, because they are misspelt ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load(file: str, key: str, row: type[RowT]) -> tuple[RowT, ...]:
    """Return the rows under `key` of a data file of this package.

    Raises:
        pydantic.ValidationError: a row does not have the shape of `row`.
    """
    text = resources.files(__package__).joinpath("data", file).read_text(encoding="utf-8")
    return tuple(row.model_validate(entry) for entry in yaml.safe_load(text)[key])
