"""The table of outcomes, on the terminal and in docs/reliability.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from e2e.agreement.outcome import Outcome

HEAD = ("fault", "shown by", "requests failed", "True while failing", "False while working", "False after", "True after repair")


class NoPlaceError(Exception):
    """The document has no place for the table; the message names the lines that make one."""


def row(outcome: Outcome) -> tuple[str, ...]:
    """Return the cells of an outcome, in the order of `HEAD`."""
    bounds = outcome.bounds
    return (
        outcome.fault,
        outcome.witness,
        f"{outcome.failing:.1f} s",
        _bounded(outcome.true_while_failing, bounds.true_while_failing),
        _bounded(outcome.false_while_working, bounds.false_while_working),
        "never" if outcome.told_after is None else f"{outcome.told_after:.1f} s",
        "by itself" if outcome.recovered_after < 0 else f"{outcome.recovered_after:.1f} s",
    )


def table(title: str, outcomes: Iterable[Outcome]) -> Table:
    """Return the table for a terminal."""
    shown = Table(*HEAD, title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for outcome in outcomes:
        shown.add_row(*row(outcome))
    return shown


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table as Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *map(row, outcomes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(path: Path, name: str, text: str) -> None:
    """Put a text between the lines of a document that are kept for `name`.

    Raises:
        NoPlaceError: the document has no such lines.
    """
    before, after = find_place(path.read_text(), name)
    path.write_text(f"{before}\n{text}\n{after}")


def find_place(document: str, name: str) -> tuple[str, str]:
    """Return what stands in a document before and after the text that is kept for `name`.

    Raises:
        NoPlaceError: the document has no lines for it.
    """
    begin, end = (f"<!-- written by make agreement, {name}: {mark} -->" for mark in ("begin", "end"))
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise NoPlaceError(f"there is no place for the table; put the lines {begin!r} and {end!r} where it is to stand")
    return before + begin, end + after


def _bounded(seconds: float, bound: float | None) -> str:
    if bound is None:
        return f"{seconds:.1f} s"
    return f"{seconds:.1f} s (≤ {bound:.0f})" if seconds <= bound else f"**{seconds:.1f} s** (≤ {bound:.0f})"
