"""Provenance: an in-toto statement that says from which commit, by which program and with which packages something was built (SLSA 1.0)."""

import json
from collections.abc import Mapping
from pathlib import Path

from release.oci import digest_of, to_json
from release.source import Source

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_LOCKS = ("requirements/runtime.txt", "requirements/build.txt", "charts/workspace-ctrl/Chart.lock", "Dockerfile")
"""Files that pin what is built in."""


def statement(source: Source, subjects: Mapping[str, str], *, builder: str, images: str) -> bytes:
    """Return the statement about `subjects` (name → digest), which `builder` (a URI) made.

    `images` says how the images were built: `docker`, or `local` without it.
    """
    repository = source.url or "file://workspace-ctrl"
    definition = {
        "buildType": f"{repository}/blob/{source.commit}/docs/releasing.md",
        "externalParameters": {"version": source.version, "repository": repository, "ref": source.commit},
        "internalParameters": {"images": images, "sourceDateEpoch": source.epoch},
        "resolvedDependencies": [
            {"uri": f"git+{repository}@{source.commit}", "digest": {"gitCommit": source.commit}},
            *({"name": name, "digest": _digest(digest_of((source.root / Path(name)).read_bytes()))} for name in _LOCKS),
        ],
    }
    return to_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": _digest(digest)} for name, digest in sorted(subjects.items())],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"buildDefinition": definition, "runDetails": {"builder": {"id": builder}}},
        }
    )


def subjects_of(said: bytes) -> dict[str, str]:
    """Return what a statement is about: name → digest."""
    return {subject["name"]: f"sha256:{subject['digest']['sha256']}" for subject in json.loads(said)["subject"]}


def _digest(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
