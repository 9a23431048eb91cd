"""The checksums of a folder's files, and the signatures of these files and of the checksums."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from release.errors import ReleaseError
from release.signing import Key, blob_signature

CHECKSUMS = "SHA256SUMS"
SIGNATURE = ".sig"
"""The end of the name of a signature, which is beside its file."""


def write_checksums(folder: Path, paths: Iterable[Path], key: Key | None) -> None:
    """Write the checksums of files of a folder as `sha256sum --check` reads them; with a key, sign them and each file."""
    files = list(paths)
    checksums = folder / CHECKSUMS
    checksums.write_text("".join(f"{_checksum(path)}  {path.name}\n" for path in files))
    if key is not None:
        for path in (*files, checksums):
            _beside(path).write_bytes(blob_signature(key, path.read_bytes()))


def check_checksums(folder: Path, key: Key) -> None:
    """Look whether the files are those whose checksums the key has signed.

    Raises:
        ReleaseError: a file or the checksums have changed, or another key has signed them.
        OSError: a file cannot be read.
        ValueError: the signature is no base64.
    """
    checksums = folder / CHECKSUMS
    content = checksums.read_bytes()
    if not key.has_signed(content, base64.b64decode(_beside(checksums).read_bytes().strip(), validate=True)):
        raise ReleaseError(f"{checksums} is not what {_beside(checksums).name} was made for, or {key.path} is not the key")
    for line in content.decode().splitlines():
        checksum, _, name = line.partition("  ")
        if _checksum(folder / name) != checksum:
            raise ReleaseError(f"{folder / name} is not the file whose checksum is in {CHECKSUMS}")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{SIGNATURE}")
