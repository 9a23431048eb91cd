"""Text of others for the eyes of people: statuses, Events, logs and terminals get signs that print, and not too many."""

from typing import Final

_STAND_IN: Final = "\N{REPLACEMENT CHARACTER}"
"""For what does not print: control characters, marks that turn the writing direction, halves of surrogate pairs."""
_SPARE: Final = 4
"""How much more is looked at than quoted, so that runs of white space do not use up an excerpt."""


def excerpt(text: str, longest: int) -> str:
    """Return the beginning of `text` on one line: at most `longest` characters, each of which prints."""
    line = " ".join(text[: _SPARE * longest].split())[:longest]
    return "".join(character if character.isprintable() else _STAND_IN for character in line)
