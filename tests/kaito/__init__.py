"""Manifests in the shapes of KAITO's examples, and what is expected of each."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
EXPECTED: dict[str, dict[str, Any]] = yaml.load((FOLDER / "expected.yaml").read_text(), yaml.CSafeLoader)
"""By folder and name of the file."""
SETS = FOLDER / "inferencesets"
"""InferenceSets and MultiRoleInferences, of which nothing is expected yet."""


def documents(name: str) -> list[dict[str, Any]]:
    """Return the objects in a file."""
    return list(yaml.load_all((FOLDER / f"{name}.yaml").read_text(), yaml.CSafeLoader))


def workspace_of(name: str) -> dict[str, Any]:
    """Return the Workspace in a file."""
    (found,) = (document for document in documents(name) if document["kind"] == "Workspace")
    return found
