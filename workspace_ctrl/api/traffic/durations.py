"""Durations as the Gateway API writes them (GEP-2257)."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Final

LONGEST_DURATION: Final = 32
"""In characters."""
_UNITS: Final[Mapping[str, int]] = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
"""Unit of a duration → milliseconds."""


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration such as 1h30m, rounded up."""
    return ceil(milliseconds_of(duration) / _UNITS["s"])


def milliseconds_of(duration: str) -> int:
    """Return the milliseconds of a duration such as 1h30m."""
    parts = re.findall(r"([0-9]+)(h|ms|m|s)", duration)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)
