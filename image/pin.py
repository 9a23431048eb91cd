"""Pins the images of others in the Dockerfile: `pin.py Dockerfile` writes the digest to which each tag points now.

Needs docker with buildx, and the registries. Standard library only.
"""

import re
import subprocess
import sys
from pathlib import Path

_IMAGE = re.compile(r"^(ARG [A-Z]+=)([^\s@]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(image: str) -> str:
    """Return the digest of the manifest, or of the index of manifests, to which the tag of `image` points."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    said = found.stdout.strip()
    if found.returncode or not _DIGEST.fullmatch(said):
        sys.exit(f"{image}: no digest: {(found.stderr or said).strip()}")
    return said


def pinned(text: str) -> str:
    """Return a Dockerfile with the digests of the images that its arguments before the first stage name."""
    arguments, first, stages = text.partition("\nFROM ")
    return _IMAGE.sub(lambda found: f"{found[1]}{found[2]}@{digest_of(found[2])}", arguments) + first + stages


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(pinned(path.read_text()))
