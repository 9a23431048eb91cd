"""Images built with Docker: what Docker is asked for, and that its layouts are read. Those without are built on the real cluster."""

import json
import os
import sys

import pytest

from e2e.cluster.oci import FileEntry, Image, write_layout
from e2e.cluster.own_image import BILL
from release.errors import ReleaseError
from release.images import DOCKER, LOCAL, available, bill_of, write_images

FAKE = """#!{python}
import json, os, pathlib, shutil, sys
if sys.argv[1] == "info":
    sys.exit(int(os.environ.get("NO_DAEMON", "0")))
with open({log!r}, "a") as log:
    log.write(json.dumps({{"arguments": sys.argv[1:], "epoch": os.environ["SOURCE_DATE_EPOCH"]}}) + "\\n")
shutil.copytree({layout!r}, sys.argv[-1].rpartition("dest=")[2])
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A program docker that writes down what it is asked for and gives an image with a bill."""
    layout, log = tmp_path / "layout", tmp_path / "log"
    write_layout(Image("x", (FileEntry("/a", "a"), FileEntry(BILL, '{"bill": 1}')), ("/a",)), layout)
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, log=str(log), layout=str(layout)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return log


def test_docker_builds_both_targets_of_the_commit_and_stamps_them_with_its_time(docker, source, tmp_path):
    layouts = write_images(source, tmp_path / "images", DOCKER)
    calls = [json.loads(line) for line in docker.read_text().splitlines()]
    assert [call["arguments"][call["arguments"].index("--target") + 1] for call in calls] == ["controller", "with-helm"]
    for call in calls:
        assert call["arguments"][:3] == ["buildx", "build", str(source.root)]
        assert call["epoch"] == str(source.epoch)
        assert "rewrite-timestamp=true" in call["arguments"][-1]
        assert {f"VERSION={source.version}", f"REVISION={source.commit}"} <= set(call["arguments"])
    assert [json.loads(bill_of(layout)) for layout in layouts.values()] == [{"bill": 1}, {"bill": 1}]


def test_docker_is_used_if_its_daemon_answers(docker, monkeypatch):
    assert available() == DOCKER
    monkeypatch.setenv("NO_DAEMON", "1")
    assert available() == LOCAL
    monkeypatch.setenv("PATH", "/nonexistent")
    assert available() == LOCAL


def test_an_image_without_a_bill_is_not_released(tmp_path):
    write_layout(Image("x", (FileEntry("/a", "a"),), ("/a",)), tmp_path / "layout")
    with pytest.raises(ReleaseError, match="has no /opt/workspace-ctrl/sbom"):
        bill_of(tmp_path / "layout")
