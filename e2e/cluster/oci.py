"""Container images without a builder: an OCI layout whose last layer is made of files that are already here."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BLOCK = 1 << 20
SMALL = 1 << 18
"""Bytes: larger than our sources, smaller than programs."""


@dataclass(frozen=True)
class FileEntry:
    """A file of the image, from the disk or from text; executable for everybody."""

    path: str
    source: Path | str

    @property
    def identity(self) -> str:
        """What the layout's name is derived from: the content, of a large file which version of which file.

        So working copies with the same sources share an image, and a program of 50 MB is not read each time.
        """
        if isinstance(self.source, str):
            return f"{self.path}={self.source}"
        stat = self.source.stat()
        if stat.st_size <= SMALL:
            return f"{self.path}={hashlib.sha256(self.source.read_bytes()).hexdigest()}"
        return f"{self.path}<{self.source}:{stat.st_size}:{stat.st_mtime_ns}"


@dataclass(frozen=True)
class Image:
    """An image under the exact name that a chart or manifest asks for."""

    name: str
    files: tuple[FileEntry, ...]
    entrypoint: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    user: str = "0:0"
    env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/bin:/bin",)
    layers: tuple[Path, ...] = ()
    """Finished layers (tar) below the files; their names tell their content."""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Name the content, without reading it."""
        parts = (self.name, *(file.identity for file in self.files), repr(self.links), *(layer.name for layer in self.layers))
        settings = (repr(self.entrypoint), self.user, repr(self.env), *([repr(self.labels)] if self.labels else []))
        return hashlib.sha256("\n".join(parts + settings).encode()).hexdigest()[:16]


def write_layout(image: Image, target: Path) -> None:
    """Write the image as an OCI layout: a folder of blobs with an index. The same input gives the same bytes."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".layout-") as scratch:
        layout = Path(scratch) / "layout"
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        layers = [_take_layer(layer, layout, blobs) for layer in image.layers]
        layer = layout / "layer"
        _write_layer(image, layer)
        digest, size = _digest(layer)
        layer.rename(blobs / digest)
        layers.append((digest, size))
        config = _json(_config(image, [digest for digest, _ in layers]))
        manifest = _json(_manifest(config, layers))
        for blob in (config, manifest):
            (blobs / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
        (layout / "index.json").write_bytes(_json(_index(image, manifest)))
        (layout / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
        layout.rename(target)


def _take_layer(layer: Path, layout: Path, blobs: Path) -> tuple[str, int]:
    """Link a finished layer, on another file system copy it, as nothing changes it any more; return its digest and size."""
    copy = layout / "layer"
    try:
        copy.hardlink_to(layer)
    except OSError:
        shutil.copyfile(layer, copy)
    digest, size = _digest(copy)
    copy.rename(blobs / digest)
    return digest, size


@contextmanager
def archive(layout: Path) -> Iterator[IO[bytes]]:
    """Read a layout as a tar, as `ctr images import` takes it."""
    # Another cluster that links the same blobs changes nothing in them.
    tar = ["tar", "--create", "--warning=no-file-changed", f"--directory={layout}", "."]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise ValueError("tar has no pipe")
        yield process.stdout


def publish(layout: Path, name: str, storage: Path) -> None:
    """Put an image into the storage of a docker-registry, as a push of `name` would, by linking its blobs there."""
    _, _, path = name.partition("/")
    repository, _, tag = path.rpartition(":")
    manifest = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    root = storage / "docker" / "registry" / "v2"
    folder = root / "repositories" / repository
    for blob in (layout / "blobs" / "sha256").iterdir():
        target = root / "blobs" / "sha256" / blob.name[:2] / blob.name / "data"
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # images share layers, and several are published at once
            target.hardlink_to(blob)
        _write_link(folder / "_layers" / "sha256" / blob.name, f"sha256:{blob.name}")
    hexadecimal = manifest.removeprefix("sha256:")
    _write_link(folder / "_manifests" / "revisions" / "sha256" / hexadecimal, manifest)
    _write_link(folder / "_manifests" / "tags" / tag / "index" / "sha256" / hexadecimal, manifest)
    _write_link(folder / "_manifests" / "tags" / tag / "current", manifest)


def _write_link(folder: Path, digest: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "link").write_text(digest)


def _config(image: Image, layers: list[str]) -> dict[str, object]:
    config: dict[str, object] = {"Entrypoint": image.entrypoint, "User": image.user, "Env": image.env}
    return {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": config | ({"Labels": dict(image.labels)} if image.labels else {}),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}" for layer in layers]},
    }


def _manifest(config: bytes, layers: list[tuple[str, int]]) -> dict[str, object]:
    media_type = "application/vnd.oci.image.layer.v1.tar"
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [{"mediaType": media_type, "digest": f"sha256:{digest}", "size": size} for digest, size in layers],
    }


def _index(image: Image, manifest: bytes) -> dict[str, object]:
    entry = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    entry["annotations"] = {"io.containerd.image.name": image.name}
    return {"schemaVersion": 2, "manifests": [entry]}


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _write_layer(image: Image, target: Path) -> None:
    with tarfile.open(target, "w") as tar:
        for folder in _folders(image):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        for file in image.files:
            if isinstance(file.source, str):
                _add_bytes(tar, file.path.lstrip("/"), file.source.encode())
            else:
                _add_file(tar, file.path.lstrip("/"), file.source)
        for path, destination in image.links:
            info = tarfile.TarInfo(path.lstrip("/"))
            info.type, info.linkname = tarfile.SYMTYPE, destination
            tar.addfile(info)


def _folders(image: Image) -> list[str]:
    paths = [file.path for file in image.files] + [path for path, _ in image.links]
    parents = {str(parent).lstrip("/") for path in paths for parent in Path(path).parents}
    return sorted((parents | {"tmp"}) - {""})


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    tar.addfile(info, io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, name: str, source: Path) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = source.stat().st_size, 0o755
    with source.open("rb") as file:
        tar.addfile(info, file)


def _digest(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest(), path.stat().st_size


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
