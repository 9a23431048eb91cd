"""A layer with Debian's Python and nothing else: no shell, no package manager, as in the images that are called distroless."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from e2e.cluster import cache, distribution
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import cache_dir, locked

SUITE = "trixie"
PYTHON_VERSION = "3.13"
"""That of the suite."""

_PACKAGES = ("base-files", "python3-minimal", "libpython3-stdlib", "netbase", "tzdata")
_TOOLS = ("dpkg*", "debconf*", "mawk", "update-alternatives")
_LEFT_OUT = (
    *(f"/usr/share/{folder}/*" for folder in ("doc", "man", "locale")),
    *(f"/usr/bin/{tool}" for tool in _TOOLS),
    "/usr/sbin/*",
)

_EPOCH = "0"
"""The time of all files, so that the same packages give the same bytes."""


def python_layer() -> Path:
    """Return the layer, made now if it is not in the cache."""
    name = hashlib.sha256("\n".join([SUITE, _EPOCH, *_command()]).encode()).hexdigest()[:16]
    final = cache_dir() / "layers" / f"python-{name}.tar"
    with locked("layers"):
        if not cache.take(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            print("fetching Debian's Python for the controller's image", flush=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                layer = Path(scratch) / "layer.tar"
                write_python_layer(layer)
                layer.rename(final)
            cache.trim("layers")
    return final


def write_python_layer(layer: Path) -> None:
    """Write the layer with the packages that the suite has now.

    Raises:
        MissingPackagesError: mmdebstrap is not installed, or cannot verify packages of Debian.
        ClusterError: mmdebstrap fails.
    """
    distribution.ensure(distribution.DEBIAN, install=False, option="")
    command = [*_command(), SUITE, str(layer)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        raise ClusterError(f"mmdebstrap made no image:\n{result.stderr.strip()}")


def _command() -> list[str]:
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(_PACKAGES)}", "--skip=output/dev"]
    return [*command, *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT)]
