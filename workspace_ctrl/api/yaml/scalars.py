"""Plain scalars of YAML as kubectl, Helm and Flux read them.

These use sigs.k8s.io/yaml, and that go-yaml 2, which reads YAML 1.1 with changes: `1e3` and `08` are numbers, `1:30` is a text, and `y` is
true. PyYAML reads the first two and the last as texts and the third as 90, and so does the program that reads the configuration of a model
server.
"""

import re
from contextlib import suppress
from typing import Final

import yaml

Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]
"""First character of a scalar → the tags that it may have, each with the pattern of the whole."""

_TAG: Final = "tag:yaml.org,2002:"
_OF_KUBECTL: Final = tuple(
    (firsts, _TAG + kind, re.compile(f"(?:{pattern})$"))
    for firsts, kind, pattern in (
        (
            "-+0123456789",
            "int",
            r"[-+]?(?:0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[bB]_*[01][01_]*|0[oO]?_*[0-7][0-7_]*|0_*|[1-9][0-9_]*)",
        ),
        (
            "-+.0123456789",
            "float",
            r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?_*[0-9][0-9_]*)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        ),
        ("yYnNtTfFoO", "bool", r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"),
    )
)
"""First characters, tag and pattern of the scalars that kubectl reads as something else than PyYAML does."""
_LARGEST: Final = 1 << 63


def of_python() -> Resolvers:
    """Return PyYAML's, but for dates and a lone `=`, which are texts."""
    return _of_python_but((":timestamp", ":value"))


def of_kubectl() -> Resolvers:
    """Return those of kubectl, Helm and Flux."""
    found = _of_python_but((":timestamp", ":value", ":bool", ":int", ":float"))
    for firsts, tag, pattern in _OF_KUBECTL:
        for first in firsts:
            found.setdefault(first, []).append((tag, pattern))
    return found


def of_both() -> Resolvers:
    """Return those by which either reads something else than a text."""
    found, every = of_kubectl(), _of_python_but(())
    return {first: [*found.get(first, ()), *every.get(first, ())] for first in {**found, **every}}


def _of_python_but(tags: tuple[str, ...]) -> Resolvers:
    every: Resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(tags)] for first, resolvers in every.items()}


def number_of_kubectl(text: str) -> int | float:
    """Return the value of a scalar with the tag `int` or `float`; infinite for one that is, and for what is too large.

    A whole number is an `int` however it is written: Go writes the JSON for the API server without a point then.
    """
    plain = text.replace("_", "")
    for base in (0, 8):  # by the prefix; else a leading zero alone makes it octal
        with suppress(ValueError):
            return int(plain, base)
    number = float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return int(number) if number.is_integer() and abs(number) < _LARGEST else number
