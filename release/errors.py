"""What goes wrong with a release."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class ReleaseError(Exception):
    """A release that cannot be made; the message says why, and what to do."""


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> bytes:
    """Return what a program prints.

    Raises:
        ReleaseError: it fails, or is not installed.
    """
    try:
        result = subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ReleaseError(f"{command[0]} is not installed") from error
    if result.returncode:
        said = (result.stderr or result.stdout).decode(errors="replace").strip()
        raise ReleaseError(f"{' '.join(map(str, command))}: {said}")
    return result.stdout
