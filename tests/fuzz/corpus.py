"""Inputs that once broke a property: small files, replayed by every run."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
LARGEST = 4096
"""Bytes of a file of the corpus; what needs more belongs into a test that makes it."""


def entries(target: str) -> Iterator[Path]:
    """Yield the files of a target, in order of their names."""
    yield from sorted((FOLDER / target).glob("*"))


def keep(target: str, data: bytes) -> Path | None:
    """Write an input down; None if it is too large."""
    if len(data) > LARGEST:
        return None
    path = FOLDER / target / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
