"""Programs that a release is made with: git, helm, openssl, docker, and those that keep credentials for it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from release.errors import ReleaseError


class ProgramError(ReleaseError):
    """A program that failed; `printed` is its standard output."""

    def __init__(self, message: str, printed: str) -> None:
        super().__init__(message)
        self.printed = printed


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> bytes:
    """Return what a program prints.

    Raises:
        ProgramError: it fails.
        ReleaseError: it is not installed.
    """
    try:
        result = subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ReleaseError(f"{command[0]} is not installed") from error
    if result.returncode:
        said = (result.stderr or result.stdout).decode(errors="replace").strip()
        raise ProgramError(f"{' '.join(map(str, command))}: {said}", result.stdout.decode(errors="replace"))
    return result.stdout
