"""All that is published of a version, in one folder: what `build` writes there, `push` takes to a registry."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from release import chart, images, oci
from release.changelog import notes
from release.oci import Artifact
from release.provenance import PREDICATE_TYPE, statement
from release.python_packages import write_packages
from release.registry import Registry
from release.signing import Key, blob_signature, envelope, simple_signing
from release.source import Source

IMAGE_REPOSITORY = "workspace-ctrl"
CHART_REPOSITORY = "charts/workspace-ctrl"
CHECKSUMS = "SHA256SUMS"
NOTES = "release-notes.md"
PROVENANCE = "provenance.json"
ENVELOPE = "provenance.intoto.json"
PUBLIC_KEY = "release.pub"
_LAYOUTS = "images"
_VERSION = "VERSION"


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
            if path.is_file() and path.suffix != ".sig" and path.name != CHECKSUMS:
                yield path


def write(source: Source, folder: Path, key: Key | None, choices: Choices) -> Bundle:
    """Build everything into `folder`, which is emptied before; without a key, nothing is signed.

    Raises:
        ReleaseError: something cannot be built or signed.
    """
    text = notes((source.root / "CHANGELOG.md").read_text(), source.version)  # before what takes long
    shutil.rmtree(folder, ignore_errors=True)
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
        (folder / PUBLIC_KEY).write_bytes(key.public())
        (folder / ENVELOPE).write_bytes(envelope(key, said))
    _write_checksums(bundle, key)
    return bundle


def push(bundle: Bundle, registry: Registry, key: Key) -> dict[str, str]:
    """Push images and chart, each with its signature and the provenance; return name:tag → digest.

    Raises:
        ReleaseError: the registry refuses.
    """
    provenance = (bundle.folder / ENVELOPE).read_bytes()
    pushed = {}
    for artifact in bundle.artifacts:
        payload = simple_signing(artifact, registry.name(artifact))
        registry.push(artifact)
        registry.push(oci.signature(artifact, payload, key.sign(payload)))
        registry.push(oci.attestation(artifact, provenance, PREDICATE_TYPE))
        pushed[f"{registry.name(artifact)}:{artifact.tag}"] = artifact.digest
    return pushed


def _subjects(bundle: Bundle) -> dict[str, str]:
    files = {path.name: oci.digest_of(path.read_bytes()) for path in bundle.files()}
    return files | {f"{artifact.repository}:{artifact.tag}": artifact.digest for artifact in bundle.artifacts}


def _write_checksums(bundle: Bundle, key: Key | None) -> None:
    """Write the checksums as `sha256sum --check` reads them, and sign them and each file."""
    paths = list(bundle.files())
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    checksums = bundle.folder / CHECKSUMS
    checksums.write_text("".join(lines))
    if key is not None:
        for path in (*paths, checksums):
            path.with_name(f"{path.name}.sig").write_bytes(blob_signature(key, path.read_bytes()))


def digests(pushed: dict[str, str]) -> str:
    """Return what was pushed as lines of name, tag and digest."""
    return "".join(f"{name}@{digest}\n" for name, digest in pushed.items())
