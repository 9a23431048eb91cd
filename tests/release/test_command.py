"""`python -m release`: what it refuses, and in which words."""

import re
import subprocess
import sys

import pytest

from e2e.cluster.places import REPOSITORY
from release.signing import Key
from release.source import exported


def release(*arguments):
    command = [sys.executable, "-m", "release", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.fixture
def signed(tmp_path):
    """A folder as `build` leaves it, as far as `push` looks at it first; and its key."""
    key = Key.create(tmp_path / "release.key")
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "release.pub").write_bytes(key.public())
    return folder, key.path


def test_only_what_is_signed_is_pushed(signed, tmp_path):
    folder, key = signed
    for arguments in (["--folder", folder], ["--folder", tmp_path, "--key", key]):
        refused = release("push", "--registry", "registry.example", *arguments)
        assert refused.returncode
        assert refused.stderr.startswith("release: only a signed release is pushed")
        assert "-m release key ~/release.key" in refused.stderr


def test_what_is_signed_with_another_key_is_not_pushed(signed, tmp_path):
    other = Key.create(tmp_path / "other.key")
    refused = release("push", "--registry", "registry.example", "--folder", signed[0], "--key", other.path)
    assert refused.returncode
    assert "is not the key that the release in" in refused.stderr


def test_a_key_is_created_and_its_public_part_printed(tmp_path):
    made = release("key", tmp_path / "release.key")
    assert made.stdout.encode() == Key(tmp_path / "release.key").public()
    assert "exists already" in release("key", tmp_path / "release.key").stderr


def test_uncommitted_changes_are_refused(repository, tmp_path):
    (repository / "uncommitted").write_text("")
    refused = release("build", "--repository", repository, "--folder", tmp_path / "dist", "--images", "local")
    (repository / "uncommitted").unlink()
    assert refused.returncode
    assert "commit or stash them" in refused.stderr
    assert not (tmp_path / "dist").exists()


def test_what_could_not_be_pushed_is_not_built(repository, tmp_path):
    options = ["--repository", repository, "--folder", tmp_path / "dist", "--images", "local"]
    refused = release("build", *options, "--registry", "registry.example")
    assert refused.returncode
    assert refused.stderr.startswith("release: only a signed release is pushed")
    assert "make release KEY=~/release.key; or build without a registry" in refused.stderr
    key = Key.create(tmp_path / "release.key")
    refused = release("build", *options, "--key", key.path, "--registry", "oci://docker.io/team")
    assert refused.returncode
    assert refused.stderr.startswith("release: a release is not pushed to Docker Hub")
    assert not (tmp_path / "dist").exists()


def test_the_documented_key_is_outside_the_repository_and_one_inside_changes_nothing(repository):
    places = re.findall(r"-m release key (\S+)|KEY=(\S+)", (REPOSITORY / "docs" / "releasing.md").read_text())
    assert {place for found in places for place in found if place} == {"~/release.key"}
    Key.create(repository / "release.key")
    try:
        with exported(repository) as source:
            assert not (source.root / "release.key").exists()
    finally:
        (repository / "release.key").unlink()
