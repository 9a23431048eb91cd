"""The wheel, and the source distribution that it is built from."""

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from release.archives import normalize
from release.errors import run
from release.source import Source

_HOOK = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def write_packages(source: Source, target: Path) -> list[Path]:
    """Write both into `target` and return them; the wheel is built from the source distribution, so that one is complete.

    Raises:
        ReleaseError: a build fails.
    """
    sdist = target / _build("build_sdist", source.root, target, source.epoch)
    normalize(sdist, source.epoch)
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(sdist) as tar:
            tar.extractall(scratch, filter="data")
        (folder,) = Path(scratch).iterdir()
        wheel = target / _build("build_wheel", folder, target, source.epoch)
    return [wheel, sdist]


def _build(hook: str, folder: Path, target: Path, epoch: int) -> str:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    printed = run([sys.executable, "-c", _HOOK, hook, target.resolve()], cwd=folder, env=environment).decode()
    return printed.strip().rpartition("\n")[2]
