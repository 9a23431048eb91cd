"""The two images of a release as OCI layouts: built with Docker from the Dockerfile, or without it from the same content."""

import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from e2e.cluster import oci as local_oci
from e2e.cluster import own_image
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from release.archives import compress
from release.errors import ReleaseError, run
from release.oci import digest_of, to_json
from release.source import Source

TARGETS = ("controller", "with-helm")
"""Stages of the Dockerfile; the second one has helm as well."""
DOCKER, LOCAL = "docker", "local"


def available() -> str:
    """Return how images can be built on this machine: by Docker if its daemon answers."""
    try:
        run(["docker", "info"])
    except ReleaseError:
        return LOCAL
    return DOCKER


def suffix(target: str) -> str:
    """Return what is appended to the version in the tag of an image."""
    return "" if target == TARGETS[0] else f"-{target}"


def write_images(source: Source, folder: Path, how: str) -> dict[str, Path]:
    """Write an OCI layout for each target into `folder` and return them.

    Raises:
        ReleaseError: Docker fails.
        ClusterError: the build without Docker fails.
    """
    layouts = {target: folder / target for target in TARGETS}
    for target, layout in layouts.items():
        if how == DOCKER:
            _docker(source, target, layout)
    if how == LOCAL:
        _local(source, layouts)
    return layouts


def pin(source: Source) -> Path:
    """Write the digests of the base images into the Dockerfile of the exported commit, and return it.

    Raises:
        ReleaseError: a registry does not tell one.
    """
    dockerfile = source.root / "Dockerfile"
    run([sys.executable, source.root / "image" / "pin.py", dockerfile])
    return dockerfile


def bill_of(layout: Path) -> bytes:
    """Return the bill of materials that an image has of itself.

    Raises:
        ReleaseError: it has none.
    """
    for layer in reversed(list(_layers(layout))):
        with tarfile.open(layer) as tar:
            try:
                file = tar.extractfile(own_image.BILL[1:])
            except KeyError:
                continue
            if file is not None:
                return file.read()
    raise ReleaseError(f"the image {layout.name} has no {own_image.BILL}")


def _layers(layout: Path) -> Iterator[Path]:
    blobs = layout / "blobs" / "sha256"
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_bytes())
    return (blobs / layer["digest"].removeprefix("sha256:") for layer in manifest["layers"])


def _docker(source: Source, target: str, layout: Path) -> None:
    arguments = ["--build-arg", f"VERSION={source.version}", "--build-arg", f"REVISION={source.commit}"]
    arguments += ["--provenance=false", "--sbom=false"]  # the release has its own, signed with its key
    output = f"type=oci,tar=false,rewrite-timestamp=true,dest={layout.resolve()}"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(source.epoch)}
    run(["docker", "buildx", "build", source.root, "--target", target, *arguments, "--output", output], env=environment)


def _local(source: Source, layouts: dict[str, Path]) -> None:
    image = own_image.controller(source.version, source.root)
    helm = build(FLUX).binary("helm")
    images = {TARGETS[0]: image, TARGETS[1]: own_image.with_helm(image, helm, FLUX.version("helm.sh/helm/v4"))}
    compressed: dict[str, bytes] = {}
    for target, layout in layouts.items():
        with tempfile.TemporaryDirectory() as scratch:
            plain = Path(scratch) / "layout"
            local_oci.write_layout(images[target], plain)
            _compress_layers(plain, source, layout, compressed)


def _compress_layers(plain: Path, source: Source, layout: Path, compressed: dict[str, bytes]) -> None:
    """Write a layout with compressed layers, which registries are spared half of; `compressed` keeps them by digest for the next one."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, media_type: str) -> dict[str, object]:
        digest = digest_of(content)
        (blobs / digest.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    (entry,) = json.loads((plain / "index.json").read_bytes())["manifests"]
    manifest = json.loads((plain / "blobs" / "sha256" / entry["digest"].removeprefix("sha256:")).read_bytes())
    config = json.loads((plain / "blobs" / "sha256" / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    config["created"] = datetime.fromtimestamp(source.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config["config"]["Labels"] |= {
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": source.commit,
    }
    layers = []
    for path in _layers(plain):
        if path.name not in compressed:
            compressed[path.name] = compress(path.read_bytes())
        layers.append(put(compressed[path.name], "application/vnd.oci.image.layer.v1.tar+gzip"))
    manifest |= {"config": put(to_json(config), manifest["config"]["mediaType"]), "layers": layers}
    index = {"schemaVersion": 2, "manifests": [put(to_json(manifest), manifest["mediaType"])]}
    (layout / "index.json").write_bytes(to_json(index))
    shutil.copyfile(plain / "oci-layout", layout / "oci-layout")
