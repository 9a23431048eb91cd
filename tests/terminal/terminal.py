"""A real terminal of any width: the program is its foreground process, so that keys such as Ctrl-C reach it as in a user's shell."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e.waiting import WAIT_SECONDS

CTRL_C = b"\x03"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Seen:
    """What a command left on the screen, and how it ended."""

    code: int
    screen: str
    """All output, without colors."""

    @property
    def lines(self) -> list[str]:
        """The lines that the program wrote; the terminal may show one on several rows."""
        return self.screen.replace("\r", "").splitlines()


def seen(
    arguments: Sequence[str | bytes],
    *,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
    interrupted_by: str | None = None,
) -> Seen:
    """Run the program in a terminal, and press Ctrl-C once a text is shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "workspace_ctrl", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**variables, "TERM": "xterm", **(environment or {})},
        preexec_fn=lambda: _own_terminal(theirs),  # noqa: PLW1509 - the child has to take the terminal as its own
    )
    os.close(theirs)
    try:
        output = _read(ours, process, interrupted_by)
    finally:
        process.kill()
        code = process.wait()
        os.close(ours)
    return Seen(code, _CONTROL.sub("", output.decode(errors="replace")))


def _own_terminal(terminal: int) -> None:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _read(terminal: int, process: "subprocess.Popen[bytes]", by: str | None) -> bytes:
    """Return all output; the keys are pressed once."""
    begun, output, pressed = time.monotonic(), b"", False
    while time.monotonic() < begun + WAIT_SECONDS:
        if not pressed and by and by.encode() in output:
            os.write(terminal, CTRL_C)
            pressed = True
        if select.select([terminal], [], [], 0.01)[0]:
            try:
                piece = os.read(terminal, 1 << 16)
            except OSError:  # the last process has closed it
                break
            if not piece:
                break
            output += piece
    process.wait(WAIT_SECONDS)
    return output
