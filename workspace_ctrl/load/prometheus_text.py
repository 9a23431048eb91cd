"""Samples in the text format of Prometheus, of servers that may mean harm: read in time that is linear in the length of the text.

A line has to match one expression whose repetitions give nothing back (possessive), so each character is read once. Comments, types and all
metrics with other names than those that are asked for are skipped.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MOST_LINES: Final = 100_000
"""Lines of a text; real ones have about a hundred characters each."""
LONGEST_LINE: Final = 16 << 10
"""Characters of a sample; longer ones are skipped: a client that sends such a label, as the name of a model, is not counted."""
MOST_LABELS: Final = 64
_SHOWN: Final = 80

_NAME: Final = re.compile(r"[ \t]*+([a-zA-Z_:][a-zA-Z0-9_:]*+)")
_VALUE: Final = r'"(?:[^"\\]++|\\.)*+"'
_LABEL_NAME: Final = rf"(?:[a-zA-Z_][a-zA-Z0-9_]*+|{_VALUE})"
_LABEL_TEXT: Final = rf"[ \t]*+{_LABEL_NAME}[ \t]*+=[ \t]*+{_VALUE}[ \t]*+"
_LABEL: Final = re.compile(rf"[ \t,]*+({_LABEL_NAME})[ \t]*+=[ \t]*+({_VALUE})")
_SAMPLE: Final = re.compile(
    rf"{_NAME.pattern}(?:[ \t]*+\{{((?:{_LABEL_TEXT}(?:,|(?=\}})))*+[ \t]*+)\}}[ \t]*+|[ \t]++)"
    r"([0-9A-Za-z.+-]{1,400}+)(?:[ \t]++-?[0-9]{1,20}+)?[ \t\r]*+"
)
"""Name, labels, value, and a time that is not read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric."""

    name: str
    labels: Mapping[str, str]
    """Those that are asked for."""
    value: float
    """Any value of the format: also not a number, endless or negative."""


def samples(text: str, names: Collection[str], labels: Collection[str] = ()) -> Iterator[Sample]:
    """Yield the samples of the metrics `names` in `text`, with those of their `labels` that they have.

    Raises:
        ValueError: a line that begins with one of `names` is not in the format, or has more than `MOST_LABELS`, or there are more than
            `MOST_LINES`.
    """
    if text.count("\n") > MOST_LINES:
        raise ValueError(f"its metrics have more than {MOST_LINES} lines")
    for line in text.split("\n"):
        name = _NAME.match(line)
        if name is None or name[1] not in names or len(line) > LONGEST_LINE:
            continue
        found = _SAMPLE.fullmatch(line)
        if found is None:
            raise ValueError(f"its metrics have an invalid line: {line[:_SHOWN]!a}")
        yield Sample(found[1], _labels(found[2], labels) if labels and found[2] else {}, float(found[3]))


def _labels(text: str, wanted: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, label in enumerate(_LABEL.finditer(text)):
        if number >= MOST_LABELS:
            raise ValueError(f"its metrics have a line with more than {MOST_LABELS} labels")
        name = _unescaped(label[1][1:-1]) if label[1].startswith('"') else label[1]
        if name in found:
            raise ValueError(f"its metrics have a line with two labels {name[:_SHOWN]!a}")
        if name in wanted:
            found[name] = _unescaped(label[2][1:-1])
    return found


def _unescaped(text: str) -> str:
    """Return the text that an escaped one stands for; the format has three escapes, and others are left as they are."""
    return "\\".join(part.replace('\\"', '"').replace("\\n", "\n") for part in text.split("\\\\"))
