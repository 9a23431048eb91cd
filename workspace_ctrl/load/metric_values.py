"""Values in the text format of Prometheus, as far as they are counters, durations and loads."""

from typing import Final

MOST: Final = float(1 << 53)
"""Largest value that is taken for one: above it, numbers of this format have no units any more."""


def checked(name: str, value: float) -> float:
    """Return the value of a counter, a duration or a load.

    Raises:
        ValueError: it is none: not a number, endless or negative.
    """
    if not 0 <= value <= MOST:  # NaN is in no range
        raise ValueError(f"its metrics have a {name} of {value}")
    return value
