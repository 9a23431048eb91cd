"""Errors that a person can act on."""

from dataclasses import dataclass


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
