"""The controller's image: small, nothing in it to build or break in with, and a bill of materials that is complete."""

import json
import re
import subprocess
import tarfile

import pytest

from e2e.cluster.images import layout
from e2e.cluster.own_image import FOLDER, REQUIREMENTS, controller, version

LARGEST = 250 * 2**20
TOOLS = re.compile(r"(.*/)?s?bin/(sh|bash|dash|busybox|apt.*|dpkg.*|pip.*|gcc.*|cc|ld|make|perl|curl|wget|helm|su|mount)$")


@pytest.fixture(scope="module")
def image(bare_cluster):
    """The layers that the node runs, and the image's configuration."""
    folder = layout(controller())
    assert bare_cluster.run(["ctr", "--namespace=k8s.io", "images", "list", "--quiet", f"name=={controller().name}"]).stdout.strip()
    blobs = folder / "blobs" / "sha256"

    def blob(digest):
        return blobs / digest.removeprefix("sha256:")

    manifest = json.loads(blob(json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]).read_text())
    layers = [blob(layer["digest"]) for layer in manifest["layers"]]
    members = [member for layer in layers for member in tarfile.open(layer).getmembers()]  # noqa: SIM115 - read once
    return layers, members, json.loads(blob(manifest["config"]["digest"]).read_text())["config"]


def test_it_is_small(image, capsys):
    _, members, _ = image
    size = sum(member.size for member in members)
    with capsys.disabled():
        print(f"\n  image: {size / 2**20:.0f} MiB unpacked")
    assert size <= LARGEST


def test_there_is_no_shell_and_no_tool(image):
    _, members, _ = image
    assert [member.name for member in members if TOOLS.fullmatch(member.name)] == []


def test_nobody_but_root_may_change_a_file_and_the_program_is_not_root(image):
    _, members, config = image
    writable = [m.name for m in members if m.isfile() and (m.mode & 0o022 or m.mode & 0o6000 or m.uid)]
    assert writable == []
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == version()


def test_the_bill_of_materials_lists_what_is_pinned(image):
    layers, _, _ = image
    said = subprocess.run(
        ["tar", "-xOf", layers[1], f"{FOLDER[1:]}/sbom.cdx.json"], capture_output=True, text=True, check=True
    ).stdout
    listed = {(part["name"], part["version"]) for part in json.loads(said)["components"]}
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    assert listed == {(name.lower().replace("_", "-"), pinned_version) for name, pinned_version in pinned}
