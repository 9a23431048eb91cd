"""Stand-ins for the chart `llm-d-router-gateway` and its endpoint picker, in the versions that the controller supports.

The chart is one of our own with the values, objects, names and traps of the real one; the endpoint picker is that of the inference
extension 1.5 behind llm-d's command line.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.places import PACKAGE

CHART = "llm-d-router-gateway"
VERSIONS = ("v0.9.0", "v0.10.0")
PICKER = "llm-d-router-endpoint-picker"
REGISTRY = "ghcr.io/llm-d"
OBJECTIVES_CRD: Mapping[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "inferenceobjectives.llm-d.ai"},
    "spec": {
        "group": "llm-d.ai",
        "scope": "Namespaced",
        "names": {"kind": "InferenceObjective", "plural": "inferenceobjectives", "singular": "inferenceobjective"},
        "versions": [
            {
                "name": "v1alpha2",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["poolRef"],
                                "properties": {
                                    "priority": {"type": "integer", "format": "int32"},
                                    "poolRef": {
                                        "type": "object",
                                        "required": ["name"],
                                        "properties": {name: {"type": "string"} for name in ("group", "kind", "name")},
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}
"""The CRD of llm-d's InferenceObjective, as far as we write it."""
COMMAND = PACKAGE / "standins" / "llm-d-picker.sh"
_SOURCE = PACKAGE / "standins" / "llm-d"
_LATER = "values-0.10.yaml"
"""Values that 0.10 has besides those of 0.9."""


def assemble(folder: Path, version: str) -> Path:
    """Write the chart in `version` into `folder`, as its project has it before packing, and return its own folder."""
    shutil.copytree(_SOURCE, folder, dirs_exist_ok=True)
    for values in folder.glob("*/values.yaml"):
        later = values.with_name(_LATER)
        if later.exists() and version != VERSIONS[0]:
            _merge_into(values, yaml.safe_load(later.read_text()))
        later.unlink(missing_ok=True)
    image = {"registry": REGISTRY, "repository": PICKER, "tag": version, "pullPolicy": "IfNotPresent"}
    _merge_into(folder / CHART / "values.yaml", {"router": {"epp": {"image": image}}})
    return folder / CHART


def fingerprint() -> str:
    """Return a hash of the chart's sources."""
    digest = hashlib.sha256()
    for path in sorted(path for path in _SOURCE.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(_SOURCE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _merge_into(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(_merged(yaml.safe_load(path.read_text()), values)))


def _merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(values)
    for key, value in others.items():
        known = result.get(key)
        result[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
