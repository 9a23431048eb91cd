"""What several unit tests share."""

from pathlib import Path

import pytest

SIZING = Path(__file__).parents[2] / "docs/concepts/sizing.md"


class Tables:
    """The Markdown tables of a document, by their heading."""

    def __init__(self, text):
        self.text = text

    def __call__(self, heading):
        lines = iter(self.text.partition(f"{heading}\n")[2].splitlines()[1:])
        rows = []
        while (line := next(lines, "")).startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
        assert rows, f"no table {heading}"
        return rows


@pytest.fixture(scope="session")
def sizing_doc():
    """The tables of docs/concepts/sizing.md, so that it cannot say what the code does not do."""
    return Tables(SIZING.read_text(encoding="utf-8"))
