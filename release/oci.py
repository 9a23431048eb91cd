"""What is stored in a registry: a manifest with its blobs, read from an OCI layout or made of files."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Artifact:
    """A manifest under a tag of a repository, and all blobs that it names."""

    repository: str
    """The path below the registry's address."""
    tag: str
    manifest: bytes
    blobs: Mapping[str, Path | bytes]
    """Digest → content."""

    @property
    def title(self) -> str:
        """Repository and tag, as the provenance names it."""
        return f"{self.repository}:{self.tag}"

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return digest_of(self.manifest)


@dataclass(frozen=True)
class Layer:
    """A layer of an artifact."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str]


def digest_of(content: bytes) -> str:
    """Return a digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def to_json(value: object) -> bytes:
    """Return JSON whose bytes follow from the value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def from_layout(layout: Path, repository: str, tag: str) -> Artifact:
    """Return the only image of an OCI layout."""

    def blob(digest: str) -> Path:
        return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = blob(entry["digest"]).read_bytes()
    named = json.loads(manifest)
    digests = [named["config"]["digest"], *(layer["digest"] for layer in named["layers"])]
    return Artifact(repository, tag, manifest, {digest: blob(digest) for digest in digests})


def chart(archive: Path, about: Mapping[str, Any], repository: str) -> Artifact:
    """Return a packed chart as Helm and Flux pull it; `about` is its Chart.yaml."""
    layer = Layer("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive.read_bytes(), {})
    annotations = {f"org.opencontainers.image.{key}": str(about[name]) for key, name in _CHART_ANNOTATIONS.items()}
    config = to_json(about)
    return _artifact(repository, str(about["version"]), [layer], ("application/vnd.cncf.helm.config.v1+json", config), annotations)


_CHART_ANNOTATIONS = {"title": "name", "description": "description", "version": "version"}


def signature(subject: Artifact, payload: bytes, signed: bytes) -> Artifact:
    """Return the signature of an artifact where cosign looks for it: under a tag that is made of the artifact's digest."""
    annotations = {"dev.cosignproject.cosign/signature": base64.b64encode(signed).decode()}
    layer = Layer("application/vnd.dev.cosign.simplesigning.v1+json", payload, annotations)
    return _beside(subject, "sig", layer)


def attestation(subject: Artifact, envelope: bytes, predicate_type: str) -> Artifact:
    """Return a signed statement about an artifact where cosign looks for it."""
    annotations = {"dev.cosignproject.cosign/signature": "", "predicateType": predicate_type}
    return _beside(subject, "att", Layer("application/vnd.dsse.envelope.v1+json", envelope, annotations))


def _beside(subject: Artifact, ending: str, layer: Layer) -> Artifact:
    config = to_json(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer.content)]},
        }
    )
    tag = f"{subject.digest.replace(':', '-')}.{ending}"
    return _artifact(subject.repository, tag, [layer], ("application/vnd.oci.image.config.v1+json", config), {})


def _artifact(
    repository: str, tag: str, layers: list[Layer], config: tuple[str, bytes], annotations: Mapping[str, str]
) -> Artifact:
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(*config),
        "layers": [_descriptor(layer.media_type, layer.content, layer.annotations) for layer in layers],
    }
    document |= {"annotations": dict(annotations)} if annotations else {}
    blobs = {digest_of(content): content for content in (config[1], *(layer.content for layer in layers))}
    return Artifact(repository, tag, to_json(document), blobs)


def _descriptor(media_type: str, content: bytes, annotations: Mapping[str, str] | None = None) -> dict[str, object]:
    found: dict[str, object] = {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
    return found | ({"annotations": dict(annotations)} if annotations else {})
