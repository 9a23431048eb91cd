"""A commit to release, and a registry to push to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.addons.registry import served
from release.source import Source, exported
from tests.release.committed import committed


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the files of this one in one commit."""
    return committed(tmp_path_factory.mktemp("release") / "repository")


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
