"""Tables as kubectl prints them: padded columns, three spaces apart, in full width; nothing is cut, and nothing is wrapped."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from workspace_ctrl.api.printable_text import printable

_GAP = "   "


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with a colour; empty for none."""

    text: str
    color: str = ""


class TablePrinter:
    """Prints the rows of one table, which may arrive over time; columns grow with what they hold and never shrink."""

    def __init__(self, headings: Sequence[str], *, has_headings: bool = True) -> None:
        self._headings = headings
        self._widths = [len(heading) for heading in headings]
        self._is_begun = not has_headings

    def print(self, rows: Sequence[Sequence[Cell | str]]) -> None:
        """Print the headings, where they are not yet, and `rows`."""
        cells = [[_cell(entry) for entry in row] for row in rows]
        for row in cells:
            self._widths = [max(width, len(entry.text)) for width, entry in zip(self._widths, row, strict=True)]
        if not self._is_begun:
            self._is_begun = True
            self._print_row([Cell(heading) for heading in self._headings])
        for row in cells:
            self._print_row(row)

    def _print_row(self, row: Sequence[Cell]) -> None:
        padded = [_styled(entry) + " " * (width - len(entry.text)) for entry, width in zip(row[:-1], self._widths, strict=False)]
        click.echo(_GAP.join([*padded, _styled(row[-1])]).rstrip())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> None:
    """Print a whole table."""
    TablePrinter(headings).print(rows)


def _cell(entry: Cell | str) -> Cell:
    """Return the cell with text of others on one line, without control characters."""
    return Cell(printable(entry)) if isinstance(entry, str) else Cell(printable(entry.text), entry.color)


def _styled(cell: Cell) -> str:
    return click.style(cell.text, fg=cell.color) if cell.color else cell.text
