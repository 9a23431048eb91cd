"""Loads the data files of the catalog as typed rows."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

from workspace_ctrl.api.yaml.documents import FAST_LOADER

_TELLING = 4
"""Minimum length of a prefix for suggestions."""
RowT = TypeVar("RowT", bound="Row")


class Row(BaseModel):
    """One row of a data file: frozen; unknown keys are an error, to detect typos."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def suggestion(name: str, known: Iterable[str], otherwise: str, cutoff: float = 0.5) -> str:
    """Return the remedy for an unknown `name`: the `closest` of `known`, else `otherwise`."""
    near = closest(name, known, cutoff)
    return f"did you mean {near}?" if near else otherwise


def closest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return the first of `known` that begins with `name`, else the closest one, else nothing.

    Only letters and digits count. `cutoff` says how close is close: 1 is the same, 0 anything.
    """
    spelling = {_letters(entry): entry for entry in reversed(list(known))}  # the first of equal spellings wins
    asked = _letters(name)
    longer = [key for key in reversed(spelling) if len(asked) >= _TELLING and key.startswith(asked)]
    close = longer or get_close_matches(asked, spelling, n=1, cutoff=cutoff)
    return spelling[close[0]] if close else ""


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def load(file: str, key: str, row: type[RowT]) -> tuple[RowT, ...]:
    """Return the rows under `key` of a data file of this package.

    Raises:
        pydantic.ValidationError: a row does not have the shape of `row`.
    """
    return tuple(row.model_validate(entry) for entry in _document(file)[key])


@lru_cache(maxsize=1)
def _document(file: str) -> Mapping[str, Any]:
    """Return the content of a data file; the last one is kept, because its sections are read one after the other."""
    text = resources.files(__package__).joinpath("data", file).read_text(encoding="utf-8")
    content: Mapping[str, Any] = yaml.load(text, FAST_LOADER)  # noqa: S506 - a safe one
    return content
