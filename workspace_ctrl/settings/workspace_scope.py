"""Which Workspaces one process reconciles: all, those of some namespaces, or those that match a label selector."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.printable_text import excerpt

_QUOTED: Final = 64
"""Characters of an invalid requirement that a message quotes."""
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = rf"({_NAME}/)?{_NAME}"
_VALUE = rf"({_NAME})?"
_REQUIREMENT: Final = re.compile(
    rf"!?\s*{_KEY}|{_KEY}\s*(=|==|!=)\s*{_VALUE}|{_KEY}\s+(in|notin)\s*\(\s*{_VALUE}(\s*,\s*{_VALUE})*\s*\)"
)
_COMMA_OUTSIDE_PARENTHESES: Final = re.compile(r",(?![^(]*\))")


class SelectorError(ValueError):
    """A label selector is invalid; the message shows the syntax."""


def parse_selector(text: str) -> str:
    """Return a label selector in canonical form, so that equal selectors have equal text.

    Raises:
        SelectorError: `text` is not a label selector.
    """
    parts = [part.strip() for part in _COMMA_OUTSIDE_PARENTHESES.split(text)]
    for part in parts:
        if not _REQUIREMENT.fullmatch(part):
            raise SelectorError(
                f"{excerpt(part, _QUOTED)!r} is not a valid label selector; use for example team=blue or 'shard in (a,b),!paused'"
            )
    return ",".join(sorted({_in_one_way(part) for part in parts}))


def _in_one_way(part: str) -> str:
    if "(" in part:
        words, _, values = part.rstrip(" )").partition("(")
        return f"{' '.join(words.split())} ({','.join(sorted({value.strip() for value in values.split(',')}))})"
    return re.sub(r"\s+", "", part).replace("==", "=")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which Workspaces one process reconciles."""

    namespaces: tuple[str, ...] = ()
    """Sorted; empty for all."""
    selector: str = ""
    """Label selector of Workspaces, as `parse_selector` returns it; empty for all."""

    def lease_name(self, base: str) -> str:
        """Return the name of the Lease of this scope; replicas with the same scope share it."""
        if self == Scope():
            return base
        words = "\n".join(("namespaces", *self.namespaces, "selector", self.selector))
        return f"{base}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"
