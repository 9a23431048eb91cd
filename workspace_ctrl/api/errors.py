"""Errors with a remedy for the user."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic_core import ErrorDetails

from workspace_ctrl.api.api_model import pattern_words
from workspace_ctrl.api.printable_text import printable

_LONGEST_KEY: Final = 64
"""Longest key of a user in a message, in characters."""
_LONGEST_PATH: Final = 1024
_PATTERN: Final = "string_pattern_mismatch"
_NO_MAPPING: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
"""Types of pydantic's errors where a mapping is expected."""
_WORDS: Final[Mapping[str, str]] = {
    "missing": "it is required",
    "string_type": "it must be a text, in quotes if it looks like a number",
    "int_type": "it must be a whole number, without quotes",
    "float_type": "it must be a number, without quotes",
    "bool_type": "it must be true or false, without quotes",
    "list_type": "it must be a list",
    "literal_error": "it must be {expected}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "too_long": "it must have at most {max_length} items",
    "too_short": "it must not be empty",
    "string_too_long": "it must have at most {max_length} characters",
    "string_too_short": "it must not be empty",
}
"""What a value must be, by the type of pydantic's error: a manifest is YAML, and its author does not know of Python's types."""


@dataclass(frozen=True)
class SpecError(Exception):
    """A Workspace cannot be processed as written: the field, the problem, and the remedy."""

    path: str
    """Path of the field in the Workspace, such as `inference.preset.name`; empty for the object as a whole."""
    problem: str
    """Completes the sentence "<path> ...", such as "is not known"."""
    remedy: str = ""
    """What to do, without a full stop."""
    others: "tuple[SpecError, ...]" = ()
    """Further errors that were found at once, so that all can be corrected together."""

    def __str__(self) -> str:
        """Return path, problem and remedy as one sentence, and those of the others, on one line."""
        text = f"{self.path} {self.problem}".strip()
        own = f"{text}; {self.remedy}" if self.remedy else text
        return printable("; and: ".join((own, *map(str, self.others))))


def field_path(location: tuple[int | str, ...]) -> str:
    """Return a field's path as text, such as `inference.adapters[0].source.name`; a user's own keys are quoted and truncated."""
    return printable("".join(map(_step, location)).removeprefix("."), _LONGEST_PATH)


def value_problem(error: ErrorDetails) -> str:
    """Return what is wrong with a value, as the end of a sentence that begins with its path."""
    # pydantic speaks of dictionaries and names our classes, neither of which is in a manifest.
    if error["type"] in _NO_MAPPING:
        return "must be a mapping"
    if error["type"] == _PATTERN:
        return pattern_words(error["ctx"]["pattern"])
    words = _WORDS.get(error["type"])
    return f"is not valid: {words.format(**error.get('ctx', {})) if words is not None else error['msg']}"


def _step(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    is_plain = len(part) <= _LONGEST_KEY and part.isascii() and part.isidentifier()
    return f".{part}" if is_plain else f"[{json.dumps(part[:_LONGEST_KEY])[:_LONGEST_KEY]}]"
