"""All that is published of a version, in one folder: what `build` writes there, `push` takes to a registry."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from release import chart, images, oci
from release.changelog import notes, with_links
from release.errors import ReleaseError
from release.oci import Artifact
from release.provenance import PREDICATE_TYPE, statement, subjects_of
from release.python_packages import write_packages
from release.registry import Registry
from release.signing import Key, blob_signature, envelope, payload_of, simple_signing
from release.source import Source

IMAGE_REPOSITORY = "workspace-ctrl"
CHART_REPOSITORY = "charts/workspace-ctrl"
CHECKSUMS = "SHA256SUMS"
NOTES = "release-notes.md"
PROVENANCE = "provenance.json"
ENVELOPE = "provenance.intoto.json"
PUBLIC_KEY = "release.pub"
DIGESTS = "digests.txt"
_LAYOUTS = "images"
_VERSION = "VERSION"
_SIGNATURE = ".sig"
_WRITTEN = (
    *("workspace-ctrl-*.tgz", "workspace_ctrl-*.whl", "workspace_ctrl-*.tar.gz", "workspace-ctrl-*.sbom.cdx.json", "sbom.cdx.json"),
    *(CHECKSUMS, NOTES, PROVENANCE, ENVELOPE, PUBLIC_KEY, DIGESTS, _VERSION, "Dockerfile"),
)
"""Files that a release, `make chart` and `make sbom` write; each may have a signature beside it."""
_ANEW = "build the release anew"


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


@dataclass(frozen=True)
class Bundle:
    """The folder of one version."""

    folder: Path

    @property
    def version(self) -> str:
        """The version."""
        return (self.folder / _VERSION).read_text().strip()

    @property
    def artifacts(self) -> list[Artifact]:
        """What belongs into a registry: the images, and the chart."""
        layouts = self.folder / _LAYOUTS
        found = [
            oci.from_layout(layouts / target, IMAGE_REPOSITORY, self.version + images.suffix(target)) for target in images.TARGETS
        ]
        archive = self.folder / f"{chart.NAME}-{self.version}.tgz"
        return [*found, oci.chart(archive, chart.about(archive), CHART_REPOSITORY)]

    def files(self) -> Iterator[Path]:
        """Yield the files that are downloaded one by one, in order of their names, without signatures and checksums."""
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.suffix != _SIGNATURE and path.name != CHECKSUMS:
                yield path


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
    (folder / _LAYOUTS).mkdir(parents=True)
    bundle = Bundle(folder)
    (folder / _VERSION).write_text(f"{source.version}\n")
    (folder / NOTES).write_text(text)
    if choices.pin_images:
        shutil.copy(images.pin(source), folder)
    write_packages(source, folder)
    image = f"{choices.registry}/{IMAGE_REPOSITORY}" if choices.registry else ""
    chart.write_chart(source, folder, choices.dependency, image)
    for target, layout in images.write_images(source, folder / _LAYOUTS, choices.how).items():
        bill = folder / f"workspace-ctrl-{source.version}{images.suffix(target)}.sbom.cdx.json"
        bill.write_bytes(images.bill_of(layout))
    said = statement(source, _subjects(bundle), builder=choices.builder, images=choices.how)
    (folder / PROVENANCE).write_bytes(said)
    if key is not None:
        (folder / PUBLIC_KEY).write_bytes(public)
        (folder / ENVELOPE).write_bytes(envelope(key, said))
    _write_checksums(bundle, key)
    return bundle


def push(bundle: Bundle, registry: Registry, key: Key) -> dict[str, str]:
    """Push images and chart, each with its signature and the provenance; return name:tag → digest.

    Raises:
        ReleaseError: the folder does not have what was built, or the registry refuses.
    """
    artifacts = _as_built(bundle)
    provenance = (bundle.folder / ENVELOPE).read_bytes()
    pushed = {}
    for artifact in artifacts:
        payload = simple_signing(artifact, registry.name(artifact))
        registry.push(artifact)
        registry.push(oci.signature(artifact, payload, key.sign(payload)))
        registry.push(oci.attestation(artifact, provenance, PREDICATE_TYPE))
        pushed[f"{registry.name(artifact)}:{artifact.tag}"] = artifact.digest
    return pushed


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
        if path.name == _LAYOUTS and path.is_dir():
            yield from (f"{_LAYOUTS}/{inner.name}" for inner in path.iterdir() if inner.name not in images.TARGETS)
        elif not path.is_file() or not any(fnmatch(path.name.removesuffix(_SIGNATURE), pattern) for pattern in _WRITTEN):
            yield path.name


def _as_built(bundle: Bundle) -> list[Artifact]:
    """Return what is pushed, after a look whether it is what was built and signed.

    Raises:
        ReleaseError: a file is missing or has changed, or the provenance says nothing of an image or the chart.
    """
    try:
        _compare_checksums(bundle.folder)
        stated = subjects_of(payload_of((bundle.folder / ENVELOPE).read_bytes()))
        artifacts = bundle.artifacts
        for artifact in artifacts:
            _compare(artifact, stated.get(artifact.title))
    except FileNotFoundError as error:
        raise ReleaseError(f"{error.filename} is missing; {_ANEW}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ReleaseError(f"{bundle.folder} has a file that cannot be read: {error}; {_ANEW}") from error
    return artifacts


def _compare_checksums(folder: Path) -> None:
    for line in (folder / CHECKSUMS).read_text().splitlines():
        checksum, _, name = line.partition("  ")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != checksum:
            raise ReleaseError(f"{folder / name} is not the file whose checksum is in {CHECKSUMS}; {_ANEW}")


def _compare(artifact: Artifact, stated: str | None) -> None:
    if artifact.digest != stated:
        built = stated or "nothing of it"
        raise ReleaseError(f"{artifact.title} is {artifact.digest}, and {ENVELOPE} says {built}; {_ANEW}")
    for digest, content in artifact.blobs.items():
        if isinstance(content, Path) and oci.digest_of(content.read_bytes()) != digest:
            raise ReleaseError(f"{content} is not what its name says; {_ANEW}")


def _subjects(bundle: Bundle) -> dict[str, str]:
    files = {path.name: oci.digest_of(path.read_bytes()) for path in bundle.files()}
    return files | {artifact.title: artifact.digest for artifact in bundle.artifacts}


def _write_checksums(bundle: Bundle, key: Key | None) -> None:
    """Write the checksums as `sha256sum --check` reads them, and sign them and each file."""
    paths = list(bundle.files())
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    checksums = bundle.folder / CHECKSUMS
    checksums.write_text("".join(lines))
    if key is not None:
        for path in (*paths, checksums):
            path.with_name(f"{path.name}{_SIGNATURE}").write_bytes(blob_signature(key, path.read_bytes()))


def digests(pushed: dict[str, str]) -> str:
    """Return what was pushed as lines of name, tag and digest."""
    return "".join(f"{name}@{digest}\n" for name, digest in pushed.items())
