"""Which Go command on PATH is new enough."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import re

import pytest

from e2e.cluster.catalog import FOLDERS
from e2e.cluster.errors import ClusterError
from e2e.cluster.toolchain import OLDEST_GO, version_of


@pytest.fixture
def command(tmp_path):
    """A function that makes a command which says a version."""

    def make(version):
        path = tmp_path / "go"
        path.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n")
        path.chmod(0o755)
        return path

    return make


def test_the_oldest_is_what_every_folder_is_content_with():
    """A Go command that is older than what a go.mod says does not build it, by a patch version even."""
    asked = [re.search(r"^go (\d+)\.(\d+)\.(\d+)$", folder.go_mod, re.MULTILINE) for folder in FOLDERS.values()]
    assert max(tuple(map(int, match.groups())) for match in asked if match) == OLDEST_GO
    assert all(asked)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("go1.26.7", (1, 26, 7)),
        ("go1.27", (1, 27, 0)),
        ("go1.27rc2", (1, 27, -1)),
        ("go1.26.7-X:nodwarf5", (1, 26, 7)),
        ("go1.100.0", (1, 100, 0)),
    ],
)
def test_the_version_is_that_of_a_release(command, version, expected):
    assert version_of(command(version)) == expected


def test_a_command_that_does_not_say_its_version_is_an_error(command):
    with pytest.raises(ClusterError, match="does not say its version"):
        version_of(command("devel"))
