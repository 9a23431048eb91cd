"""The reasons of conditions: what each means, and the way out.

Messages quote the objects of one Workspace; this table has what is the same for all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from workspace_ctrl.api.conditions import ConditionType, Status
from workspace_ctrl.catalog.data_files import Row, load, suggestion

_FILE = "reasons.yaml"
_BESIDE: Final = frozenset({"condition", "reason", "type", "status", *(status.lower() for status in Status)})
"""Words that stand beside conditions and reasons where these are printed, such as `Reason: X` or `Ready=False`."""


class Reason(Row):
    """A reason of conditions."""

    name: str
    types: tuple[ConditionType, ...] = ()
    """The conditions that have it first; summaries repeat it. Empty for one that is quoted: it has those of its group."""
    meaning: str
    way_out: str = ""
    """What to do; empty where nothing is to be done, or where the message says it."""
    command: str = ""
    """Shows more; may have {namespace}, {name} and {release}. Empty for none."""
    is_good: bool = False
    """Whether the condition is True with it."""

    def command_for(self, namespace: str, name: str, release: str) -> str:
        """Return the command for the Workspace `name`, whose chart is installed as `release`; empty if there is none."""
        values = {"{namespace}": namespace, "{name}": name, "{release}": release}
        command = self.command
        for placeholder, value in values.items():
            command = command.replace(placeholder, value)
        return command


class ReasonGroup(Row):
    """The reasons of one part of the chain, or those that another controller reports."""

    title: str
    types: tuple[ConditionType, ...] = ()
    """The conditions that quote them; empty for our own reasons, each of which has its own."""
    reasons: tuple[Reason, ...]


@cache
def own_reasons() -> tuple[ReasonGroup, ...]:
    """Return all reasons that we write, by the part of the chain, in its order."""
    return load(_FILE, "groups", ReasonGroup)


@cache
def quoted_reasons() -> tuple[ReasonGroup, ...]:
    """Return reasons of other controllers that we quote, as far as more is known of them than they report."""
    return load(_FILE, "quoted", ReasonGroup)


@cache
def _by_name() -> Mapping[str, Reason]:
    return {reason.name: reason for reason in _each()}


def _each() -> Iterator[Reason]:
    for group in (*quoted_reasons(), *own_reasons()):
        yield from group.reasons


def find_reason(name: str) -> Reason | None:
    """Return a reason; None if it is unknown, and so one of another controller."""
    return _by_name().get(name)


def names_in(words: Sequence[str]) -> tuple[str, ...]:
    """Return the conditions and reasons that a user has copied or typed, in any case; empty if there is another word among them.

    They may be as they are printed: `RouteReady: PathConflict`, `condition=Ready`, `Reason: NoReadyEndpoints`.
    """
    spelling = _spelling()
    found = [word.lower() for text in words for word in re.findall(r"[^\s=:,;.()]+", text)]
    named = [word for word in found if word not in _BESIDE]
    return tuple(dict.fromkeys(spelling[word] for word in named)) if all(word in spelling for word in named) else ()


@cache
def _spelling() -> Mapping[str, str]:
    return {name.lower(): name for name in (*_by_name(), *ConditionType)}


def near_reasons(name: str) -> str:
    """Return the remedy for an unknown reason, which may be a misspelt condition."""
    return suggestion(name, (*ConditionType, *_by_name()), "they are listed in docs/reference/conditions.md")
