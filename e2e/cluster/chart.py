"""The controller's own chart, complete without the Internet: the subchart flux2 is a stand-in that installs the built controllers."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from e2e.cluster import cache
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import flux_image
from e2e.cluster.oci import Image
from e2e.cluster.own_image import controller, version
from e2e.cluster.places import PACKAGE, REPOSITORY, cache_dir, locked

NAME = "workspace-ctrl"
SOURCE = REPOSITORY / "charts" / NAME
FLUX_STANDIN = PACKAGE / "standins" / "flux2"


def chart(source: Path = SOURCE) -> Path:
    """Return the folder of the chart, or of an earlier version of it in `source`, with its dependency."""
    final = cache_dir() / "own-charts" / _fingerprint(source)
    with locked("own-charts"):
        if not cache.take(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                made = Path(scratch) / "made"
                _assemble(source, made / NAME)
                made.rename(final)
            cache.trim("own-charts")
    return final / NAME


def package(folder: Path, chart_version: str = "", app_version: str = "") -> Path:
    """Pack the chart into `folder`, under another version where one is given, and return the file."""
    chart_version = chart_version or version()
    command = [str(build(FLUX).binary("helm")), "package", str(chart()), "--version", chart_version, "--destination", str(folder)]
    command += ["--app-version", app_version] if app_version else []
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"helm package: {result.stderr.strip()}")
    return folder / f"{NAME}-{chart_version}.tgz"


def image_values(image: Image | None = None) -> dict[str, Any]:
    """Return the values that choose an image of the local cluster, by default that of the controller as it is now."""
    repository, _, tag = (image or controller()).name.rpartition(":")
    return {"image": {"repository": repository, "tag": tag}}


def flux_values() -> dict[str, Any]:
    """Return the values that choose the images of the built controllers of Flux."""
    tags = {key: flux_image(name).rpartition(":")[2] for key, name in _FLUX_CONTROLLERS.items()}
    return {"flux2": {key: {"tag": tag} for key, tag in tags.items()}}


def write_values(path: Path, *values: dict[str, Any]) -> Path:
    """Write values, later ones over earlier ones of the same first key, and return the file."""
    merged: dict[str, Any] = {}
    for each in values:
        merged |= each
    path.write_text(json.dumps(merged, indent=1))
    return path


_FLUX_CONTROLLERS = {"helmController": "helm-controller", "sourceController": "source-controller"}


def _assemble(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    subchart = target / "charts" / "flux2"
    shutil.copytree(FLUX_STANDIN, subchart)
    for asset in ("source-crds", "helm-crds"):
        shutil.copytree(build(FLUX).asset(asset), subchart / "crds-of-the-build", dirs_exist_ok=True)


def _fingerprint(source: Path) -> str:
    digest = hashlib.sha256(build(FLUX).root.name.encode())
    for folder in (source, FLUX_STANDIN):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
