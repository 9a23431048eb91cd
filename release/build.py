"""Everything that is published of a version, built into one folder."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from release import chart, images
from release.bundle import DIGESTS, ENVELOPE, IMAGE_REPOSITORY, LAYOUTS, NOTES, PROVENANCE, PUBLIC_KEY, VERSION, Bundle
from release.changelog import notes, with_links
from release.checksums import CHECKSUMS, SIGNATURE, write_checksums
from release.errors import ReleaseError
from release.oci import digest_of
from release.provenance import statement
from release.python_packages import write_packages
from release.signing import Key, envelope
from release.source import Source

_WRITTEN = (
    *("workspace-ctrl-*.tgz", "workspace_ctrl-*.whl", "workspace_ctrl-*.tar.gz", "workspace-ctrl-*.sbom.cdx.json", "sbom.cdx.json"),
    *(CHECKSUMS, NOTES, PROVENANCE, ENVELOPE, PUBLIC_KEY, DIGESTS, VERSION, "Dockerfile"),
)
"""Files that a release, `make chart` and `make sbom` write; each may have a signature beside it."""


@dataclass(frozen=True)
class Choices:
    """How a release is built."""

    how: str = images.LOCAL
    """How images are built."""
    registry: str = ""
    """Where the images will be pushed to: the chart's default. Empty: the chart's values are as in the repository."""
    dependency: Path | None = None
    """A folder with the chart of Flux; None: from where Chart.lock says."""
    pin_images: bool = False
    """Whether the base images are those to which their tags point now; the Dockerfile with their digests then is part of the release."""
    builder: str = "local"
    """Who builds: a URI, for the provenance."""
    forge: str = ""
    """The page of the repository, where the links of the notes lead. Empty: they stay relative."""


def write(source: Source, folder: Path, key: Key | None, choices: Choices) -> Bundle:
    """Build everything into `folder`, in place of what an earlier release left there; without a key, nothing is signed.

    Raises:
        ReleaseError: something cannot be built or signed, or the folder has other files.
    """
    public = key.public() if key is not None else b""  # it and the notes before what takes long
    text = notes((source.root / "CHANGELOG.md").read_text(), source.version)
    if choices.forge:
        text = with_links(text, choices.forge, f"v{source.version}")
    _make_empty(folder)
    (folder / LAYOUTS).mkdir(parents=True)
    bundle = Bundle(folder)
    (folder / VERSION).write_text(f"{source.version}\n")
    (folder / NOTES).write_text(text)
    if choices.pin_images:
        shutil.copy(images.pin(source), folder)
    write_packages(source, folder)
    image = f"{choices.registry}/{IMAGE_REPOSITORY}" if choices.registry else ""
    chart.write_chart(source, folder, choices.dependency, image)
    for target, layout in images.write_images(source, folder / LAYOUTS, choices.how).items():
        bill = folder / f"workspace-ctrl-{source.version}{images.suffix(target)}.sbom.cdx.json"
        bill.write_bytes(images.bill_of(layout))
    said = statement(source, _subjects(bundle), builder=choices.builder, images=choices.how)
    (folder / PROVENANCE).write_bytes(said)
    if key is not None:
        (folder / PUBLIC_KEY).write_bytes(public)
        (folder / ENVELOPE).write_bytes(envelope(key, said))
    write_checksums(folder, bundle.files(), key)
    return bundle


def _make_empty(folder: Path) -> None:
    if not folder.is_dir():
        return
    others = sorted(_of_others(folder))
    if others:
        names = ", ".join(others)
        raise ReleaseError(f"{folder} has files that are no release: {names}; remove them, or choose another folder")
    shutil.rmtree(folder)


def _of_others(folder: Path) -> Iterator[str]:
    """Yield the names of what is in the folder and was not written here: a release must not remove it."""
    for path in folder.iterdir():
        if path.name == LAYOUTS and path.is_dir():
            yield from (f"{LAYOUTS}/{inner.name}" for inner in path.iterdir() if inner.name not in images.TARGETS)
        elif not path.is_file() or not any(fnmatch(path.name.removesuffix(SIGNATURE), pattern) for pattern in _WRITTEN):
            yield path.name


def _subjects(bundle: Bundle) -> dict[str, str]:
    files = {path.name: digest_of(path.read_bytes()) for path in bundle.files()}
    return files | {artifact.title: artifact.digest for artifact in bundle.artifacts}
