"""Tables of the documents: rows without a head above them are shown as text with bars."""

import re

import pytest

from tests.unit.docs.documents import DOCUMENTS
from tests.unit.docs.test_links import prose
from workspace_ctrl.cache.watches import WATCHED

RULE = re.compile(r"\|[\s:|-]+\|")


def without_head(text):
    """The first row of each run of rows that is no table: its second row is no rule below a head."""
    lines = ["", *prose(text).split("\n"), ""]
    begins = (number for number, line in enumerate(lines) if line.startswith("|") and not lines[number - 1].startswith("|"))
    return [lines[number] for number in begins if not RULE.fullmatch(lines[number + 1])]


def test_the_number_of_lists_after_a_restart_is_that_of_the_watches():
    (number,) = re.findall(r"one per watched kind and selector \((\d+)\)", DOCUMENTS["docs/performance.md"])
    assert int(number) == len({(watched.resource, watched.selector) for watched in WATCHED})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_row_is_in_a_table(document):
    assert without_head(DOCUMENTS[document]) == []
