"""A commit to release: the working tree as it is now, in a repository of its own."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.addons.registry import served
from e2e.cluster.places import REPOSITORY
from release.source import Source, exported

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", "*.egg-info")
DATE = "2026-01-02T03:04:05Z"


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE, "HOME": str(repository.parent), "PATH": "/usr/bin:/bin"}
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=repository, env=dates, check=True, capture_output=True)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the files of this one in one commit."""
    root = tmp_path_factory.mktemp("release") / "repository"
    shutil.copytree(REPOSITORY, root, ignore=NOT_COPIED, symlinks=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=everything")
    return root


@pytest.fixture(scope="session")
def source(repository: Path) -> Iterator[Source]:
    """The commit's files."""
    with exported(repository) as found:
        yield found


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of an empty registry."""
    with served(tmp_path) as address:
        yield address
