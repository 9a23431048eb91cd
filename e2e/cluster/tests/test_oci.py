"""Images: the layout's parts fit together, the same input gives the same bytes, a registry's storage finds them."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import dataclasses
import hashlib
import json
import tarfile

import pytest

from e2e.cluster.oci import FileEntry, Image, publish, write_layout

NAME = "registry.example/team/program:v1"


@pytest.fixture
def image(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    return Image(
        name=NAME,
        files=(FileEntry("/bin/program", program), FileEntry("/bin/script", "#!/bin/sh\n")),
        links=(("/bin/sh", "program"),),
        entrypoint=("/bin/program",),
        user="1337:1337",
    )


@pytest.fixture
def layout(image, tmp_path):
    write_layout(image, tmp_path / "layout")
    return tmp_path / "layout"


def blob(layout, digest):
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def parts(layout):
    entry = json.loads((layout / "index.json").read_text())["manifests"][0]
    manifest = json.loads(blob(layout, entry["digest"]).read_text())
    return entry, manifest, json.loads(blob(layout, manifest["config"]["digest"]).read_text())


def test_the_index_carries_the_exact_name(layout):
    entry, _, _ = parts(layout)
    assert entry["annotations"] == {"io.containerd.image.name": NAME}


def test_every_blob_has_the_name_of_its_content(layout):
    for file in (layout / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name


def test_the_configuration_names_user_entrypoint_and_layer(layout):
    _, manifest, config = parts(layout)
    assert config["config"]["User"] == "1337:1337"
    assert config["config"]["Entrypoint"] == ["/bin/program"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_the_layer_holds_executables_links_and_a_shared_temporary_folder(layout):
    _, manifest, _ = parts(layout)
    with tarfile.open(blob(layout, manifest["layers"][0]["digest"])) as layer:
        modes = {member.name: member.mode for member in layer}
        assert modes["bin/program"] == modes["bin/script"] == 0o755
        assert modes["tmp"] == 0o1777
        assert layer.getmember("bin/sh").linkname == "program"


def test_the_same_image_gives_the_same_bytes(image, layout, tmp_path):
    write_layout(image, tmp_path / "again")
    assert (tmp_path / "again" / "index.json").read_bytes() == (layout / "index.json").read_bytes()


def test_the_fingerprint_follows_content_and_settings(image):
    changed = Image(NAME, image.files, ("/bin/script",), image.links, image.user)
    assert changed.fingerprint != image.fingerprint


def test_a_published_image_lies_where_a_push_would_have_put_it(layout, tmp_path):
    publish(layout, NAME, tmp_path / "storage")
    root = tmp_path / "storage" / "docker" / "registry" / "v2"
    tag = (root / "repositories" / "team/program" / "_manifests" / "tags" / "v1" / "current" / "link").read_text()
    entry, _, _ = parts(layout)
    assert tag == entry["digest"]
    hexadecimal = tag.removeprefix("sha256:")
    assert (root / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal / "data").is_file()


def test_finished_layers_lie_below_the_files_and_labels_are_kept(image, tmp_path):
    base = tmp_path / "base-1.tar"
    with tarfile.open(base, "w"):
        pass
    layered = dataclasses.replace(image, layers=(base,), labels=(("title", "x"),))
    write_layout(layered, tmp_path / "layered")
    _, manifest, config = parts(tmp_path / "layered")
    digests = [layer["digest"] for layer in manifest["layers"]]
    assert digests[0] == f"sha256:{hashlib.sha256(base.read_bytes()).hexdigest()}"
    assert config["rootfs"]["diff_ids"] == digests
    assert len(digests) == 2
    assert config["config"]["Labels"] == {"title": "x"}
    assert layered.fingerprint != image.fingerprint
