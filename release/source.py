"""The commit that is released, as files apart from the working tree, so that nothing uncommitted gets into a release."""

import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from release.errors import ReleaseError, run


@dataclass(frozen=True)
class Source:
    """A commit's files, and what a release says of them."""

    root: Path
    commit: str
    epoch: int
    """Seconds since 1970 of the commit: the only time in what is built."""
    url: str
    """Where the repository is fetched from; empty if it has no remote `origin`."""

    @property
    def version(self) -> str:
        """The version, which pyproject.toml has."""
        value: str = tomllib.loads((self.root / "pyproject.toml").read_text())["project"]["version"]
        return value


@contextmanager
def exported(repository: Path, *, may_differ: bool = False) -> Iterator[Source]:
    """Have the files of the commit HEAD in a folder of their own until the end of the block.

    Raises:
        ReleaseError: there is no commit; or the working tree differs from it, unless it `may_differ`.
    """
    commit = _git(repository, "rev-parse", "HEAD")
    changed = _git(repository, "status", "--porcelain")
    if changed and not may_differ:
        raise ReleaseError(f"uncommitted changes would not be part of the release; commit or stash them:\n{changed}")
    remotes = _git(repository, "remote").split()
    url = _git(repository, "remote", "get-url", "origin") if "origin" in remotes else ""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar"
        _git(repository, "archive", "--format=tar", f"--output={archive}", commit)
        root = Path(scratch) / "source"
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="data")
        yield Source(root, commit, int(_git(repository, "log", "-1", "--format=%ct", commit)), url)


def _git(repository: Path, *arguments: str) -> str:
    return run(["git", "-C", repository, *arguments]).decode().strip()
