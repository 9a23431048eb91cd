"""Waiting for what has no event of its own."""

import time
from collections.abc import Callable

WAIT_SECONDS = 60.0
_PAUSE = 0.05


def until(holds: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until `holds` says something true.

    Raises:
        AssertionError: it did not in `seconds`; the message names `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"  # noqa: S101 - a test waits
        time.sleep(_PAUSE)
