"""Reads the catalog's data files into typed rows."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import resources
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

RowT = TypeVar("RowT", bound="Row")


class Row(BaseModel):
    """One row of a data file: frozen, and unknown keys are an error, because they are misspelt ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the remedy for an unknown `name`: the closest of `known`, or `otherwise` where none is close."""
    spelling = {entry.lower(): entry for entry in known}
    close = get_close_matches(name.lower(), spelling, n=1, cutoff=0.5)
    return f"did you mean {spelling[close[0]]}?" if close else otherwise


def load(file: str, key: str, row: type[RowT]) -> tuple[RowT, ...]:
    """Return the rows under `key` of a data file of this package.

    Raises:
        pydantic.ValidationError: a row does not have the shape of `row`.
    """
    text = resources.files(__package__).joinpath("data", file).read_text(encoding="utf-8")
    return tuple(row.model_validate(entry) for entry in yaml.safe_load(text)[key])
