"""The text format of Prometheus is read as by its own client library, and in time that is linear in the length of what a server sends."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from workspace_ctrl.load.prometheus_text import LONGEST_LINE, MOST_LABELS, MOST_LINES, samples

NAMES = ("http_requests_total", "vllm:x_sum", "inference_pool_ready_pods")
SPACES = st.text(" \t", max_size=2)
VALUES = st.text(st.characters(codec="utf-8"), max_size=12) | st.text('\\\\"n,={}# \n\u2028\x85\r', max_size=8)
LABEL_NAMES = st.from_regex("_?[a-z][a-z0-9_]{0,4}", fullmatch=True)
"""Names that begin with two of them are reserved, and refused by the library."""
NUMBERS = (
    st.floats().map(repr)
    | st.integers(-(2**60), 2**60).map(str)
    | st.sampled_from(["+Inf", "-Inf", "NaN", "1e5", "1E-5", ".5", "5."])
)
COMMENTS = st.sampled_from(["", "# a comment", "#", "# EOF", "other_metric 1", 'other{a="}"} 2', "   "])


@st.composite
def lines(draw):
    """A line of a sample, as the format allows it."""
    space = [draw(SPACES) for _ in range(4)]
    written = [
        f'{draw(SPACES)}{name}{draw(SPACES)}={draw(SPACES)}"{escaped(draw(VALUES))}"{draw(SPACES)}'
        for name in draw(st.lists(LABEL_NAMES, max_size=4, unique=True))
    ]
    comma = draw(st.sampled_from(["", ","])) if written else ""
    labels = f"{space[1]}{{{','.join(written)}{comma}}}{space[2]}" if written or draw(st.booleans()) else " "
    time = draw(st.none() | st.integers(0, 2**42))
    end = draw(st.sampled_from(["", " ", "\r"]))
    return f"{space[0]}{draw(st.sampled_from(NAMES))}{labels}{draw(NUMBERS)}{f' {time}' if time is not None else ''}{end}"


def escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def of_the_library(text):
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name in NAMES]
    return [(sample.name, dict(sample.labels), repr(float(sample.value))) for sample in found]


@given(st.lists(lines() | COMMENTS, max_size=6), st.booleans())
def test_it_is_read_as_by_the_library(page, ends):
    text = "\n".join(page) + ("\n" if ends else "")
    every = {name for _, labels, _ in of_the_library(text) for name in labels}
    assert [(one.name, one.labels, repr(one.value)) for one in samples(text, NAMES, every | {"x"})] == of_the_library(text)


def test_only_labels_that_are_asked_for_are_kept():
    (found,) = samples('http_requests_total{method="POST",status="2xx"} 1', NAMES, ["status"])
    assert found.labels == {"status": "2xx"}
    (found,) = samples('http_requests_total{method="POST"} NaN', NAMES)
    assert (found.labels, math.isnan(found.value)) == ({}, True)


@pytest.mark.parametrize(
    "line",
    [
        "", " ", "{a} 1", '{a="b} 1', '{a="b"', '{a="b"}', '{a="b",,} 1', "{a=b} 1", '{1a="b"} 1', '{a="b"} 1 2 3', " 1_000",
        " many", " 0x1p3", '{a="b\\"} 1', '{a="1",a="2"} 1', " 1 # {} 2", '{a="b"}1}', " " + "1" * 401,
    ],
)  # fmt: skip
def test_a_line_that_is_not_in_the_format_is_an_error(line):
    with pytest.raises(ValueError, match=r"invalid line|could not convert|two labels"):
        list(samples(f"{NAMES[0]}{line}\n", NAMES, ["a"]))


def test_what_is_too_much_is_an_error_or_left_out():
    line = f"{NAMES[0]} 1\n"
    assert sum(one.value for one in samples(line * MOST_LINES, NAMES)) == MOST_LINES
    with pytest.raises(ValueError, match="more than 100000 lines"):
        list(samples(line * (MOST_LINES + 1), NAMES))
    many = ",".join(f'l{number}="x"' for number in range(MOST_LABELS + 1))
    with pytest.raises(ValueError, match="more than 64 labels"):
        list(samples(f"{NAMES[0]}{{{many}}} 1", NAMES, ["a"]))
    long = f'{NAMES[0]}{{a="{"x" * LONGEST_LINE}"}} 5\n'
    assert [one.value for one in samples(long + line, NAMES)] == [1]


SIZE = 8 << 20
BEGIN = NAMES[0]
HOSTILE = {
    "escaped quotes": (BEGIN + '{a="', '\\"', '"} 1'),
    "backslashes": (BEGIN + '{a="', "\\", '"} 1'),
    "labels": (BEGIN + "{", 'a="b",', "} 1"),
    "labels without an end": (BEGIN + "{", 'a="b",', ""),
    "a quote without an end": (BEGIN + '{a="', "x", ""),
    "commas": (BEGIN + "{", ",", "} 1"),
    "braces": (BEGIN, "{", ""),
    "spaces": (BEGIN, " \t", "x"),
    "digits": (BEGIN + " ", "1", ""),
    "names": ("", BEGIN, ""),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("length", [SIZE, LONGEST_LINE - 100], ids=["one line", "many lines"])
@pytest.mark.parametrize("shape", HOSTILE)
def test_eight_mebibytes_of_anything_are_read_or_refused(shape, length):
    """Time that grows with the square of a line's length is minutes for each of these, and linear time a part of a second."""
    begin, piece, end = HOSTILE[shape]
    line = begin + piece * ((length - len(begin) - len(end)) // len(piece)) + end
    text = "\n".join([line] * (SIZE // len(line)))
    try:
        assert all(one.name == BEGIN for one in samples(text, NAMES, ["a"]))
    except ValueError as error:
        assert len(str(error)) < 1000
