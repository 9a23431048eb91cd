"""Waiting for what has no event of its own."""

import time
from collections.abc import Callable

WAIT_SECONDS = 240
"""What takes a second alone takes tens of them beside other tests, on cores that stand still at times. A wait that is over early costs
nothing for its long bound; what may not take long is measured in the benchmark."""
KUBECTL_TIMEOUT = f"--timeout={WAIT_SECONDS}s"
"""The same for `kubectl wait`, `delete` and `rollout status`."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_SHARE = 0.1
"""A pause takes so much of the time that was waited: whoever looks again and again keeps the machine from what is waited for."""


def until(holds: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until `holds` says something true.

    Raises:
        AssertionError: it did not in `seconds`; the message names `what` was waited for.
    """
    began = time.monotonic()
    while not holds():
        assert _has_paused(began, seconds), f"waited in vain for {what}"  # noqa: S101 - a test waits


def until_equal(look: Callable[[], object], expected: object, what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until `look` returns what is expected.

    Raises:
        AssertionError: it did not in `seconds`; the message names `what` was waited for, and what was seen last.
    """
    began = time.monotonic()
    while (seen := look()) != expected:
        assert _has_paused(began, seconds), f"waited in vain for {what}: {seen}, not {expected}"  # noqa: S101 - a test waits


def _has_paused(began: float, seconds: float) -> bool:
    """Pause between two looks, unless the waiting that began at a time of the monotonic clock has taken so long already."""
    waited = time.monotonic() - began
    if waited >= seconds:
        return False
    time.sleep(min(max(_SHORTEST_PAUSE, waited * _SHARE), _LONGEST_PAUSE))
    return True
