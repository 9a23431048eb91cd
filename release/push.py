"""A built release goes to a registry, after a look whether it is what was built and signed."""

from pathlib import Path

from release import oci
from release.bundle import ENVELOPE, Bundle
from release.checksums import check_checksums
from release.errors import ReleaseError
from release.oci import Artifact
from release.provenance import PREDICATE_TYPE, subjects_of
from release.registry import Registry
from release.signing import Key, payload_of, simple_signing

_ANEW = "build the release anew"


def push(bundle: Bundle, registry: Registry, key: Key) -> dict[str, str]:
    """Push images and chart, each with its signature and the provenance; return name:tag → digest.

    Raises:
        ReleaseError: the folder does not have what was built, or the registry refuses.
    """
    artifacts = _as_built(bundle, key)
    provenance = (bundle.folder / ENVELOPE).read_bytes()
    pushed = {}
    for artifact in artifacts:
        payload = simple_signing(artifact, registry.name(artifact))
        registry.push(artifact)
        registry.push(oci.signature(artifact, payload, key.sign(payload)))
        registry.push(oci.attestation(artifact, provenance, PREDICATE_TYPE))
        pushed[f"{registry.name(artifact)}:{artifact.tag}"] = artifact.digest
    return pushed


def digests(pushed: dict[str, str]) -> str:
    """Return what was pushed as lines of name, tag and digest."""
    return "".join(f"{name}@{digest}\n" for name, digest in pushed.items())


def _as_built(bundle: Bundle, key: Key) -> list[Artifact]:
    """Return what is pushed, after a look whether it is what was built and signed.

    Raises:
        ReleaseError: a file is missing or has changed, or the provenance says nothing of an image or the chart.
    """
    try:
        check_checksums(bundle.folder, key)
        stated = subjects_of(payload_of((bundle.folder / ENVELOPE).read_bytes()))
        artifacts = bundle.artifacts
        for artifact in artifacts:
            _compare(artifact, stated.get(artifact.title))
    except ReleaseError as error:
        raise ReleaseError(f"{error}; {_ANEW}") from error
    except FileNotFoundError as error:
        raise ReleaseError(f"{error.filename} is missing; {_ANEW}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ReleaseError(f"{bundle.folder} has a file that cannot be read: {error}; {_ANEW}") from error
    return artifacts


def _compare(artifact: Artifact, stated: str | None) -> None:
    if artifact.digest != stated:
        built = stated or "nothing of it"
        raise ReleaseError(f"{artifact.title} is {artifact.digest}, and {ENVELOPE} says {built}")
    for digest, content in artifact.blobs.items():
        if isinstance(content, Path) and oci.digest_of(content.read_bytes()) != digest:
            raise ReleaseError(f"{content} is not what its name says")
