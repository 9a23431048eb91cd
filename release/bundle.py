"""The folder of a release: which files it has, and what of it belongs into a registry."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from release import chart, images, oci
from release.checksums import CHECKSUMS, SIGNATURE
from release.oci import Artifact

IMAGE_REPOSITORY = "workspace-ctrl"
CHART_REPOSITORY = "charts/workspace-ctrl"
NOTES = "release-notes.md"
PROVENANCE = "provenance.json"
ENVELOPE = "provenance.intoto.json"
PUBLIC_KEY = "release.pub"
DIGESTS = "digests.txt"
LAYOUTS = "images"
VERSION = "VERSION"


@dataclass(frozen=True)
class Bundle:
    """The folder of one version."""

    folder: Path

    @property
    def version(self) -> str:
        """The version."""
        return (self.folder / VERSION).read_text().strip()

    @property
    def artifacts(self) -> list[Artifact]:
        """What belongs into a registry: the images, and the chart."""
        layouts = self.folder / LAYOUTS
        found = [
            oci.from_layout(layouts / target, IMAGE_REPOSITORY, self.version + images.suffix(target)) for target in images.TARGETS
        ]
        archive = self.folder / f"{chart.NAME}-{self.version}.tgz"
        return [*found, oci.chart(archive, chart.about(archive), CHART_REPOSITORY)]

    def files(self) -> Iterator[Path]:
        """Yield the files that are downloaded one by one, in order of their names, without signatures and checksums."""
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.suffix != SIGNATURE and path.name != CHECKSUMS:
                yield path
