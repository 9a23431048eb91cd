"""The software bill of materials (CycloneDX) of a folder into which pip has installed: `sbom.py FOLDER > sbom.cdx.json`.

Standard library only, so that it runs wherever an image is built.
"""

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any

PRODUCT = "workspace-ctrl"


def component(package: Distribution) -> dict[str, Any]:
    """Return the entry of a package: what pip's own metadata says of it."""
    name, version = package.metadata["Name"].lower().replace("_", "-"), package.version
    entry: dict[str, Any] = {"type": "library", "name": name, "version": version}
    entry["purl"] = entry["bom-ref"] = f"pkg:pypi/{name}@{version}"
    licence = package.metadata["License-Expression"] or _classified(package)
    return entry | (
        {"licenses": [licence]} if isinstance(licence, dict) else {"licenses": [{"expression": licence}]} if licence else {}
    )


def _classified(package: Distribution) -> dict[str, Any] | None:
    for classifier in package.metadata.get_all("Classifier") or ():
        kind, _, name = classifier.rpartition(" :: ")
        if kind.startswith("License"):
            return {"license": {"name": name}}
    return None


def bill(folder: str) -> dict[str, Any]:
    """Return the bill of all packages in `folder`, in order of their names."""
    components = sorted((component(package) for package in distributions(path=[folder])), key=lambda entry: entry["name"])
    ours = next((entry for entry in components if entry["name"] == PRODUCT), {"type": "application", "name": PRODUCT})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**ours, "type": "application"}},
        "components": [entry for entry in components if entry["name"] != PRODUCT],
    }


if __name__ == "__main__":
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1)
    sys.stdout.write("\n")
