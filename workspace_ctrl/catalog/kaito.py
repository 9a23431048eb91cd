"""What becomes here of everything that KAITO has on a Workspace: annotations, labels, fields, and its status."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Final

from workspace_ctrl.catalog.data_files import Row, load

_FILE: Final = "kaito.yaml"
_ALL: Final = "*"


class Effect(StrEnum):
    """What happens to something that KAITO has."""

    HONOURED = "honoured"
    """It has an effect here."""
    IGNORED = "ignored"
    """It has none, and a warning says so."""
    REJECTED = "rejected"
    """A Workspace that has it is rejected, with a way out."""


class KaitoEntry(Row):
    """An annotation, a label or a field of KAITO."""

    name: str
    """Key or path; one that ends in `*` stands for all keys with that beginning."""
    since: str = ""
    """First release of KAITO that has it; empty if it is in no release that was read."""
    effect: Effect
    here: str
    """What it does here, or why it is ignored or rejected."""
    instead: str = ""
    """What to do, without a full stop; empty if there is nothing to do."""
    satisfied: tuple[str, ...] = ()
    """Values that already are what happens here: nothing is ignored or rejected."""

    @property
    def reason(self) -> str:
        """Why it is ignored or rejected, and what to do."""
        return f"{self.here}; {self.instead}" if self.instead else self.here

    def is_said(self, value: str) -> bool:
        """Whether there is something to say about `value`."""
        return self.effect is not Effect.HONOURED and value.strip().lower() not in self.satisfied


@cache
def kaito_annotations() -> Mapping[str, KaitoEntry]:
    """Return KAITO's annotations by key."""
    return _section("annotations")


@cache
def kaito_labels() -> Mapping[str, KaitoEntry]:
    """Return KAITO's labels of a Workspace by key."""
    return _section("labels")


@cache
def kaito_fields() -> Mapping[str, KaitoEntry]:
    """Return the fields of KAITO's Workspace by path."""
    return _section("fields")


@cache
def kaito_status() -> Mapping[str, KaitoEntry]:
    """Return the fields of its status and its condition types by name."""
    return _section("status")


def find_entry(key: str, entries: Mapping[str, KaitoEntry]) -> KaitoEntry | None:
    """Return the entry of `entries` that stands for `key`, or None."""
    return entries.get(key) or entries.get(f"{key.partition('/')[0]}/{_ALL}")


def ignored(values: Mapping[str, str], entries: Mapping[str, KaitoEntry]) -> Iterator[tuple[KaitoEntry, list[str]]]:
    """Yield each entry that is ignored, with the keys of `values` that it stands for."""
    found: dict[str, list[str]] = {}
    for key in sorted(values):
        entry = find_entry(key, entries)
        if entry is not None and entry.effect is Effect.IGNORED and entry.is_said(values[key]):
            found.setdefault(entry.name, []).append(key)
    yield from ((entries[name], keys) for name, keys in found.items())


def _section(name: str) -> Mapping[str, KaitoEntry]:
    return {row.name: row for row in load(_FILE, name, KaitoEntry)}
