"""The table on the terminal, and the one in docs/performance.md, which keeps a column for each number of Workspaces."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from e2e.bench.errors import BenchmarkError
from e2e.bench.figures import Row

BEGIN = "<!-- written by python -m e2e.bench --write: begin -->"
END = "<!-- written by python -m e2e.bench --write: end -->"
WIDTH = 100
"""Columns of a terminal that the table needs."""
_CORNER = "Workspaces at once"

Column = dict[str, str]


def table(title: str, rows: Sequence[Row]) -> Table:
    """Return the rows as a table of `WIDTH` columns."""
    shown = Table(title=title, box=box.SIMPLE_HEAD, width=WIDTH, title_justify="left", show_header=False)
    shown.add_column(ratio=3)
    shown.add_column(ratio=2)
    for what, figure in rows:
        shown.add_row(what, figure)
    return shown


def check(path: Path) -> None:
    """Look whether `write` could be done, before all is measured.

    Raises:
        BenchmarkError: the file has no markers.
    """
    with_column(path.read_text(), 1, [])


def write(path: Path, workspaces: int, rows: Sequence[Row]) -> None:
    """Put the rows into the generated table of a Markdown file, as the column of that number of Workspaces.

    Raises:
        BenchmarkError: the file has no markers.
    """
    path.write_text(with_column(path.read_text(), workspaces, rows))


def with_column(text: str, workspaces: int, rows: Sequence[Row]) -> str:
    """Return a Markdown text with the column of a number of Workspaces put in, or replaced."""
    before, begin, rest = text.partition(BEGIN)
    generated, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"the file has no generated table; put the lines {BEGIN!r} and {END!r} where it is to stand")
    columns = parse(generated) | {workspaces: dict(rows)}
    return f"{before}{BEGIN}\n{markdown(columns)}\n{END}{after}"


def markdown(columns: dict[int, Column]) -> str:
    """Return a Markdown table with a column for each number of Workspaces; a figure that one has not is left empty."""
    counts = sorted(columns)
    titles = list(dict.fromkeys(what for count in counts for what in columns[count]))
    lines = [[_CORNER, *(f"{count:,}" for count in counts)], ["---"] * (len(counts) + 1)]
    lines += [[what, *(columns[count].get(what, "") for count in counts)] for what in titles]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def parse(generated: str) -> dict[int, Column]:
    """Return the columns of a table that `markdown` made."""
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in generated.splitlines() if line.startswith("|")]
    if not lines:
        return {}
    (_, *counts), _, *body = ([*line, *[""] * (len(lines[0]) - len(line))] for line in lines)
    return {
        int(count.replace(",", "")): {line[0]: line[number] for line in body if line[number]}
        for number, count in enumerate(counts, start=1)
    }
