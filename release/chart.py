"""The Helm chart, packed with the dependency in the version of Chart.lock."""

import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from release.archives import normalize
from release.errors import ReleaseError, run
from release.source import Source

NAME = "workspace-ctrl"
_IMAGE = re.compile(r"^(image:\n(?: +#[^\n]*\n)*  repository: )\S+$", re.MULTILINE)


def helm() -> str:
    """Return the program helm: that of the machine, else the one of the local cluster."""
    return shutil.which("helm") or str(build(FLUX).binary("helm"))


def write_chart(source: Source, target: Path, dependency: Path | None = None, image: str = "") -> Path:
    """Write the chart's archive into `target` and return it; `image` becomes the default of image.repository.

    Its dependency comes from the repository that Chart.lock names, or is the chart in the folder `dependency`.

    Raises:
        ReleaseError: Helm refuses, or the dependency has another version than Chart.lock.
    """
    with tempfile.TemporaryDirectory() as scratch:
        chart = shutil.copytree(source.root / "charts" / NAME, Path(scratch) / NAME)
        if image:
            _set_image(chart / "values.yaml", image)
        if dependency is None:
            run([helm(), "dependency", "build", chart])
        else:
            _take(chart, dependency)
        run([helm(), "package", chart, "--version", source.version, "--app-version", source.version, "--destination", target])
    archive = target / f"{NAME}-{source.version}.tgz"
    normalize(archive, source.epoch)
    return archive


def _set_image(values: Path, image: str) -> None:
    text, count = _IMAGE.subn(lambda found: found[1] + image, values.read_text())
    if count != 1:
        raise ReleaseError(f"{values.name} has {count} lines for image.repository instead of one")
    values.write_text(text)


def about(archive: Path) -> dict[str, Any]:
    """Return Chart.yaml of a packed chart."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"{NAME}/Chart.yaml")
        if file is None:
            raise ReleaseError(f"{archive} has no Chart.yaml")
        document: dict[str, Any] = yaml.safe_load(file)
        return document


def _take(chart: Path, dependency: Path) -> None:
    given = yaml.safe_load((dependency / "Chart.yaml").read_text())
    locked = {each["name"]: each["version"] for each in yaml.safe_load((chart / "Chart.lock").read_text())["dependencies"]}
    if locked != {given["name"]: given["version"]}:
        raise ReleaseError(f"{dependency} is {given['name']} {given['version']}; Chart.lock has {locked}")
    shutil.copytree(dependency, chart / "charts" / given["name"])
