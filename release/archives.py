"""Compressed archives whose bytes follow from the files in them alone."""

import gzip
import io
import tarfile
from pathlib import Path


def normalize(archive: Path, epoch: int) -> None:
    """Write a tar.gz anew: in the order of names, every file of the time `epoch`, of nobody, and without the time of packing."""
    with tarfile.open(archive, "r:gz") as old:
        contents = {member.name: (old.extractfile(member), member) for member in old.getmembers() if member.isfile()}
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as new:
            for name, (content, member) in sorted(contents.items()):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = member.size, epoch
                info.mode = 0o755 if member.mode & 0o100 else 0o644
                new.addfile(info, content)
    archive.write_bytes(compress(plain.getvalue()))


def compress(content: bytes) -> bytes:
    """Return the content compressed, without a time and a name in the header."""
    return gzip.compress(content, compresslevel=6, mtime=0)
