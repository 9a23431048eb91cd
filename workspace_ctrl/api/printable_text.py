"""Safe quoting of text from users and other programs in messages."""

import re
from typing import Final

MESSAGE_LIMIT: Final = 4096
"""Longest message that we write, in characters; the API server allows 32768, but a table row should stay readable."""
_CUT: Final = "..."
_STAND_IN: Final = "\N{REPLACEMENT CHARACTER}"
"""Replaces unprintable characters in an excerpt: control characters, direction marks, halves of surrogate pairs."""
_SPARE: Final = 4
"""Factor by which more is read than quoted, so that runs of white space do not use up an excerpt."""
_BREAK: Final = re.compile(r"[^\S ]\s*")


def printable(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return `text` on one line of at most `limit` characters: line breaks become spaces, other unprintable characters are escaped.

    So it cannot send control sequences to a terminal, or forge lines of a log. The function is idempotent.
    """
    kept = text[: limit + 1]
    if not kept.isprintable():
        kept = "".join(map(_escaped, _BREAK.sub(" ", kept)))
    return kept if len(kept) <= limit else kept[: limit - len(_CUT)] + _CUT


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def excerpt(text: str, longest: int) -> str:
    """Return the beginning of `text` on one line: at most `longest` characters, all printable."""
    line = " ".join(text[: _SPARE * longest].split())[:longest]
    return "".join(character if character.isprintable() else _STAND_IN for character in line)
