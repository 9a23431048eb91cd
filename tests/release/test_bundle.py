"""The folder of a release: what it may replace, and that only what was built is pushed. The images in it are stand-ins."""

import shutil

import pytest

from e2e.cluster.chart import FLUX_STANDIN
from e2e.cluster.oci import FileEntry, Image, write_layout
from e2e.cluster.own_image import BILL
from release import images
from release.build import Choices, write
from release.bundle import Bundle
from release.checksums import write_checksums
from release.errors import ReleaseError
from release.push import push
from release.registry import Registry
from release.signing import Key


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key.create(tmp_path_factory.mktemp("key") / "release.key")


def stand_in(_source, folder, _how):
    """In the place of the two images of a release: one file, and the bill."""
    layouts = {target: folder / target for target in images.TARGETS}
    for target, layout in layouts.items():
        write_layout(Image("x", (FileEntry("/name", target), FileEntry(BILL, '{"bill": 1}')), ("/name",)), layout)
    return layouts


@pytest.fixture(scope="module")
def built(source, key, tmp_path_factory):
    """A release, into a folder with what `make chart` and `make sbom` have written."""
    folder = tmp_path_factory.mktemp("built")
    for name in ("workspace-ctrl-0.0.1.tgz", "sbom.cdx.json"):
        (folder / name).write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "write_images", stand_in)
        write(source, folder, key, Choices(dependency=FLUX_STANDIN, forge="https://forge.example/team/project"))
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy to change."""
    return shutil.copytree(built, tmp_path / "dist")


class Nowhere(Registry):
    """A registry that writes down what it gets."""

    def __init__(self):
        super().__init__("registry.example")
        self.pushed = []

    def push(self, artifact):
        self.pushed.append(f"{artifact.repository}:{artifact.tag}")


def refused(folder, key):
    """In which words a push is refused, before anything is sent."""
    registry = Nowhere()
    with pytest.raises(ReleaseError) as caught:
        push(Bundle(folder), registry, key)
    assert registry.pushed == []
    assert str(caught.value).endswith("; build the release anew")
    return str(caught.value)


def test_a_release_replaces_what_charts_bills_and_earlier_releases_have_left(built, source, key, folder):
    assert not {"workspace-ctrl-0.0.1.tgz", "sbom.cdx.json"} & {path.name for path in built.iterdir()}
    for name in ("digests.txt", "Dockerfile", "Dockerfile.sig", "sbom.cdx.json"):
        (folder / name).write_text("")
    (folder / "VERSION").unlink()  # as after a build that was interrupted
    with pytest.raises(ReleaseError, match=r"Chart\.lock has"):  # the first thing that fails after the folder has been emptied
        write(source, folder, key, Choices(dependency=wrong_dependency(folder.parent)))
    assert not (folder / "digests.txt").exists()


def wrong_dependency(folder):
    other = shutil.copytree(FLUX_STANDIN, folder / "flux2")
    text = (other / "Chart.yaml").read_text()
    (other / "Chart.yaml").write_text(text.replace("version: 2.19.0", "version: 2.18.2"))
    return other


@pytest.mark.parametrize("name", ["mine", "notes.md", "mine.sig", "images/mine", "workspace-ctrl-mine/file"])
def test_files_of_others_are_named_and_kept(folder, source, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    shown = name.removesuffix("/file")
    with pytest.raises(ReleaseError, match=f"has files that are no release: {shown}; remove them, or choose another folder"):
        write(source, folder, None, Choices())
    assert (folder / name).exists()
    assert (folder / "SHA256SUMS").exists()


def test_what_was_built_is_pushed_with_signature_and_provenance(built, source, key):
    registry = Nowhere()
    pushed = push(Bundle(built), registry, key)
    assert len(registry.pushed) == 3 * len(pushed)
    assert f"registry.example/charts/workspace-ctrl:{source.version}" in pushed


def test_a_file_that_has_changed_or_is_gone_is_not_signed_anew(folder, key, source):
    bill = folder / f"workspace-ctrl-{source.version}.sbom.cdx.json"
    content = bill.read_text()
    bill.write_text("{}")
    assert f"{bill} is not the file whose checksum is in SHA256SUMS" in refused(folder, key)
    bill.unlink()
    assert f"{bill} is missing" in refused(folder, key)
    bill.write_text(content)
    (folder / "SHA256SUMS").unlink()
    assert "SHA256SUMS is missing" in refused(folder, key)


def test_checksums_that_somebody_else_wrote_are_not_signed_anew(folder, key, source):
    """Whoever changes a file could write its checksum anew, and another signature; only the key's counts."""
    (folder / f"workspace-ctrl-{source.version}.sbom.cdx.json").write_text("{}")
    write_checksums(folder, Bundle(folder).files(), None)
    said = refused(folder, key)
    assert said.startswith(f"{folder / 'SHA256SUMS'} is not what SHA256SUMS.sig was made for, or ")
    write_checksums(folder, Bundle(folder).files(), Key.create(folder.parent / "another.key"))
    assert refused(folder, key) == said
    (folder / "SHA256SUMS.sig").write_text("é")
    assert "has a file that cannot be read" in refused(folder, key)
    (folder / "SHA256SUMS.sig").unlink()
    assert "SHA256SUMS.sig is missing" in refused(folder, key)


def test_an_image_that_is_not_in_the_provenance_is_not_signed(folder, key, source):
    layout = folder / "images" / "with-helm"
    shutil.rmtree(layout)
    write_layout(Image("x", (FileEntry("/name", "another"),), ("/name",)), layout)
    said = refused(folder, key)
    assert said.startswith(f"workspace-ctrl:{source.version}-with-helm is sha256:")
    assert "and provenance.intoto.json says sha256:" in said
    (layout / "index.json").write_text("{")
    assert "has a file that cannot be read" in refused(folder, key)


def test_a_part_of_an_image_that_has_changed_is_not_pushed(folder, key):
    blobs = sorted((folder / "images" / "controller" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    blobs[-1].write_bytes(b"another")
    assert f"{blobs[-1]} is not what its name says" in refused(folder, key)


def test_links_of_the_notes_lead_to_the_tag_at_the_forge(built, source):
    notes = (built / "release-notes.md").read_text()
    assert f"](https://forge.example/team/project/blob/v{source.version}/docs/upgrading.md#" in notes
    assert "](docs/" not in notes


@pytest.mark.parametrize("content", ["", "\n", "no key\n"])
def test_a_key_that_is_none_is_refused_before_anything_is_built(folder, source, tmp_path, content):
    (tmp_path / "release.key").write_text(content)
    with pytest.raises(ReleaseError, match=r"release\.key cannot be read as a private key; .*RELEASE_KEY_PASSWORD"):
        write(source, folder, Key(tmp_path / "release.key"), Choices())
    assert (folder / "SHA256SUMS").exists()
