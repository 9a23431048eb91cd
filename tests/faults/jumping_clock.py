"""The controller with a wall clock that somebody sets while it runs; the monotonic clock goes on, as it does on a real machine.

Run as a program it is the controller's command line.
"""

import signal
import sys
from datetime import UTC, datetime

import time_machine

from e2e.controller import ControllerProcess
from workspace_ctrl.cli.main import main

AHEAD = signal.SIGUSR1
"""Moves the clock an hour ahead."""
BACK = signal.SIGUSR2
"""Moves the clock two hours back."""
_HOUR = 3600.0


class JumpingController(ControllerProcess):
    """The controller as a process whose clock can be set by signals."""

    def __init__(self, cluster, *arguments):
        super().__init__(cluster, *arguments)
        interpreter, _, _, *rest = self._command
        self._command = [interpreter, "-m", "tests.faults.jumping_clock", *rest]

    def jump(self, direction):
        """Set the clock."""
        self._process.send_signal(direction)


if __name__ == "__main__":
    clock = time_machine.travel(datetime.now(UTC), tick=True).start()
    signal.signal(AHEAD, lambda _number, _frame: clock.shift(_HOUR))
    signal.signal(BACK, lambda _number, _frame: clock.shift(-2 * _HOUR))
    sys.argv[0] = "workspace-ctrl"
    main()
