"""Plain scalars of YAML as kubectl, Helm and Flux read them.

These use sigs.k8s.io/yaml, and that go-yaml 2, which reads YAML 1.1 with changes: `1e3` and `08` are numbers, `1:30` is a text, and `y` is
true. PyYAML reads the first two and the last as texts and the third as 90, and so does the program that reads the configuration of a model
server.
"""

import re
from typing import Final

import yaml

Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]
"""First character of a scalar → the tags that it may have, each with the pattern of the whole."""

_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)|0[oO]?(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES: Final = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_NUMBER: Final = (
    ("int", r"[-+]?(?:0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[bB]_*[01][01_]*|0[oO]?_*[0-7][0-7_]*|0_*|[1-9][0-9_]*)"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?_*[0-9][0-9_]*)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
_BOOLEAN: Final = r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"
_LARGEST: Final = 1 << 63
_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_REPLACED: Final = (":timestamp", ":value", ":bool", ":int", ":float")
_TAG: Final = "tag:yaml.org,2002:"


def of_python() -> Resolvers:
    """Return PyYAML's, but for dates and a lone `=`, which are texts."""
    return _of_python_but((":timestamp", ":value"))


def of_kubectl() -> Resolvers:
    """Return those of kubectl, Helm and Flux."""
    found = {first: [*resolvers] for first, resolvers in _of_python_but(_REPLACED).items()}
    patterns = [("-+.0123456789", kind, pattern) for kind, pattern in _NUMBER] + [("yYnNtTfFoO", "bool", _BOOLEAN)]
    for firsts, kind, pattern in patterns:
        for first in firsts:
            found.setdefault(first, []).append((_TAG + kind, re.compile(f"(?:{pattern})$")))
    return found


def of_both() -> Resolvers:
    """Return those by which either reads something else than a text."""
    found, every = of_kubectl(), _of_python_but(())
    return {first: [*found.get(first, ()), *every.get(first, ())] for first in {**found, **every}}


def _of_python_but(tags: tuple[str, ...]) -> Resolvers:
    every: Resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(tags)] for first, resolvers in every.items()}


def boolean_of_kubectl(text: str) -> bool:
    """Return the value of a scalar with the tag `bool`."""
    return text.lower() in _TRUE


def number_of_kubectl(text: str) -> int | float:
    """Return the value of a scalar with the tag `int` or `float`; infinite for one that is, and for what is too large.

    A whole number is an `int` however it is written: Go writes the JSON for the API server without a point then.
    """
    plain = text.replace("_", "")
    if found := _INTEGER.fullmatch(plain):
        kind = next(name for name, digits in found.groupdict().items() if name != "sign" and digits)
        return int(found["sign"] + found[kind], _BASES[kind])
    number = float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return int(number) if number.is_integer() and abs(number) < _LARGEST else number
