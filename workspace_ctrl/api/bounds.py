"""How much a Workspace may be before anything of it is looked at: beyond that, reading it would cost all others time and memory."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

SPEC_FIELDS: Final = ("resource", "inference", "tuning", "gateway")
"""The top-level fields that make up what a Workspace asks for."""
MOST_LEVELS: Final = 64
"""Objects and lists inside each other; a pod template has 15."""
MOST_VALUES: Final = 5_000
"""Fields, labels and items of lists; large pod templates have some hundred."""
MOST_BYTES: Final = 256 * 1024
"""Of all fields together, as JSON."""


def excess(raw: Mapping[str, Any]) -> str:
    """Return how a Workspace's fields go beyond the bounds, as a sentence; empty where they do not.

    It needs no stack, however deep they are.
    """
    fields = {name: raw[name] for name in SPEC_FIELDS if name in raw}
    values = 0
    for name, value in fields.items():
        layer, levels = [value], 0
        while layer := [inner for outer in layer for inner in _inside(outer)]:
            levels, values = levels + 1, values + len(layer)
            if values > MOST_VALUES:
                return f"a Workspace has at most {MOST_VALUES:,} values: fields, labels and items of lists; leave some out"
            if levels > MOST_LEVELS:
                return f"{name} is nested deeper than {MOST_LEVELS} levels"
    size = len(json.dumps(fields, separators=(",", ":"), default=str))
    if size > MOST_BYTES:
        return f"a Workspace has at most {MOST_BYTES // 1024} KiB, and this one has {size // 1024}; make it smaller"
    return ""


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
