"""Settings of Python's garbage collector for a process that lives long and keeps many small records."""

import gc
from typing import Final

_THRESHOLDS: Final = (10_000, 20, 50)
"""Objects made and not freed before a collection, and collections of a generation before one of the next; the default of 700 objects is
reached several times in a pass. Almost all objects are freed by their reference counts at once."""


def settle() -> None:
    """Leave all that exists now, modules and catalogs, out of later collections, and make those less often; call it once at the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
