"""Errors that a person can act on."""

import json
from dataclasses import dataclass
from typing import Final

_LONGEST_KEY: Final = 64
"""Of a user's key in a message, in characters."""


@dataclass(frozen=True)
class SpecError(Exception):
    """A Workspace asks for something that cannot be: where, what is wrong, and what to write instead."""

    path: str
    """Path of the field in the Workspace, such as `inference.preset.name`; empty for the object as a whole."""
    problem: str
    """Completes the sentence "<path> ...", such as "is not known"."""
    remedy: str = ""
    """What to do, as a sentence without its full stop."""

    def __str__(self) -> str:
        """Return path, problem and remedy as one sentence."""
        text = f"{self.path} {self.problem}".strip()
        return f"{text}; {self.remedy}" if self.remedy else text


def field_path(location: tuple[int | str, ...]) -> str:
    """Return a field's path as people write it, such as `inference.adapters[0].source.name`; a user's own keys are quoted."""
    return "".join(map(_step, location)).removeprefix(".")


def _step(part: int | str) -> str:
    return f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{json.dumps(part)[:_LONGEST_KEY]}]"
