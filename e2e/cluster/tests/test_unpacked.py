"""Unpacked images are shared by the nodes of all clusters, and what a node writes is its own."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os
import signal

import pytest

from e2e.cluster import images, unpacked
from e2e.cluster.errors import ClusterError
from e2e.cluster.oci import FileEntry, Image

BLOBS = "io.containerd.content.v1.content/blobs/sha256"
LAYERS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("WORKSPACE_CTRL_CACHE", str(folder))
    return folder


def image(content, name="localhost/a:1"):
    return Image(name, (FileEntry("/program", content),), ("/program",))


def containerd_folder(root):
    """What containerd leaves."""
    for path, text in ((f"{BLOBS}/d1", "blob"), (f"{LAYERS}/1/fs/bin/program", "program"), *((path, "old") for path in DATABASES)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def unpacking(monkeypatch):
    """Stands in for containerd; the sets that it has unpacked."""
    done = []

    def unpack(layouts, scratch):
        done.append(layouts)
        containerd_folder(scratch / "root")

    monkeypatch.setattr(unpacked, "_unpack", unpack)
    return done


def test_a_node_has_layers_and_blobs_as_links_and_databases_of_its_own(tmp_path):
    source, root = containerd_folder(tmp_path / "source"), tmp_path / "node"
    unpacked.link(source, root)
    assert (root / BLOBS / "d1").samefile(source / BLOBS / "d1")
    assert (root / LAYERS / "1").is_symlink()
    assert (root / LAYERS / "1" / "fs" / "bin" / "program").read_text() == "program"
    for path in DATABASES:
        (root / path).write_text("new")
        assert (source / path).read_text() == "old"


def test_each_set_is_unpacked_once(unpacking):
    first = unpacked.unpacked([image("x"), image("y", "localhost/b:1")])
    assert unpacked.unpacked([image("y", "localhost/b:1"), image("x")]) == first
    assert unpacked.unpacked([image("x")]) != first
    assert unpacked.unpacked([image("z"), image("y", "localhost/b:1")]) != first
    assert len(unpacking) == 3


def test_one_that_is_broken_off_leaves_nothing(monkeypatch, cache):
    def interrupted(_, scratch):
        containerd_folder(scratch / "root")
        raise KeyboardInterrupt

    monkeypatch.setattr(unpacked, "_unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpacked.unpacked([image("x")])
    assert list((cache / unpacked.FOLDER).iterdir()) == []
    assert images.layout(image("x")).exists()


@pytest.fixture
def containerd(tmp_path, monkeypatch):
    """Runs a shell in place of containerd, which ends as told when it gets SIGTERM."""

    def run(at_its_end):
        programs = tmp_path / "programs"
        programs.mkdir()
        program = programs / "unshare"
        program.write_text(f"#!/bin/sh\ntrap '{at_its_end}' TERM\ntouch {tmp_path}/socket\nwhile true; do sleep 0.01; done\n")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setattr(unpacked, "_SOCKET", f"{tmp_path}/socket")
        return unpacked._containerd(tmp_path)

    return run


def test_what_a_containerd_has_unpacked_is_whole_if_it_ends_when_it_is_told(containerd):
    with containerd("exit 0") as pid:
        assert pid


def test_a_containerd_that_fails_at_its_end_is_an_error(containerd):
    with pytest.raises(ClusterError, match="containerd ended with 3: not written"), containerd("echo not written >&2; exit 3"):
        pass


def test_a_containerd_that_was_killed_is_an_error(containerd):
    with pytest.raises(ClusterError, match="containerd ended with -9"), containerd("exit 0") as pid:
        os.kill(pid, signal.SIGKILL)
