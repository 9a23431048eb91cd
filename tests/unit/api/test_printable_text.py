"""Text of others in messages: on one line, bounded, and harmless to a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.printable_text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such image", "no such image"),
        ("Größe 模型 🦙", "Größe 模型 🦙"),
        ("failed:\r\n\t* one\n\n\t* two", "failed: * one * two"),
        ("two  blanks", "two  blanks"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\x85c\xa0d", "a b c d"),
        ("half \ud800 of a pair", "half \\ud800 of a pair"),
        ("x" * 32, "x" * 32),
        ("x" * 99, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."),
        ("\x1b" * 20, "\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\..."),
    ],
)
def test_text_is_shown_on_one_line(text, shown):
    assert printable(text, 32) == shown


@given(text=st.text(st.characters(codec=None), max_size=40), limit=st.integers(4, 40))
def test_any_text_is_printable_bounded_and_stays_as_it_is_after_that(text, limit):
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert printable(shown, limit) == shown
