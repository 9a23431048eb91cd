"""Limits of what is read of a Workspace: beyond them, reading one would cost all others time and memory."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

SPEC_FIELDS: Final = ("resource", "inference", "tuning", "gateway")
"""The top-level fields that make up what a Workspace asks for."""
MOST_LEVELS: Final = 64
"""Objects and lists inside each other, in one of the fields; a pod template has 15."""
MOST_BYTES: Final = 256 * 1024
"""Of all fields together, as JSON."""


def excess(raw: Mapping[str, Any]) -> str:
    """Return how a Workspace's fields go beyond the limits, as a sentence; empty where they do not."""
    fields = {name: raw[name] for name in SPEC_FIELDS if name in raw}
    for name, value in fields.items():
        if is_deeper(value, MOST_LEVELS):
            return f"{name} is nested more than {MOST_LEVELS} levels deep; make it flatter"
    size = len(json.dumps(fields, separators=(",", ":"), default=str))
    if size > MOST_BYTES:
        return f"the spec has {size / 1024:.0f} KiB, and at most {MOST_BYTES // 1024} are read; make it smaller"
    return ""


def is_deeper(value: object, levels: int) -> bool:
    """Whether objects and lists in `value` are nested more than `levels` deep; needs no stack, however deep they are."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return False
    return True


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
