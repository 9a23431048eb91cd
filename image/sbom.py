"""The software bill of materials (CycloneDX) of an image: `sbom.py FOLDER [--root ROOT] [--program NAME@VERSION=PATH] > sbom.cdx.json`.

FOLDER is where pip has installed, ROOT the file system of a Debian base image, whose packages are listed too, and each program a binary
that is copied in from elsewhere. Standard library only, so that it runs wherever an image is built.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

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


def base_components(root: Path) -> Iterator[dict[str, Any]]:
    """Yield the distribution in `root`, and its packages: of dpkg's database, or of the one file for each that distroless images have."""
    system = _os_release(root)
    name, version = system.get("ID", "debian"), system.get("VERSION_ID", "")
    yield {"type": "operating-system", "name": name, "version": version, "bom-ref": f"{name}-{version}"}
    for text in _package_records(root):
        fields = HeaderParser().parsestr(text)
        if not fields["Package"] or "not-installed" in (fields["Status"] or ""):
            continue
        package, number = fields["Package"].strip(), fields["Version"].strip()
        purl = f"pkg:deb/{name}/{quote(package, safe='')}@{quote(number, safe='')}"
        purl += f"?arch={fields['Architecture'].strip()}&distro={name}-{version}" if fields["Architecture"] else ""
        yield {"type": "library", "name": package, "version": number, "purl": purl, "bom-ref": purl}


def _os_release(root: Path) -> dict[str, str]:
    for path in (root / "etc" / "os-release", root / "usr" / "lib" / "os-release"):
        if path.is_file():
            lines = (line.partition("=") for line in path.read_text().splitlines())
            return {name: value.strip('"') for name, _, value in lines}
    return {}


def _package_records(root: Path) -> Iterator[str]:
    database = root / "var" / "lib" / "dpkg"
    if (database / "status").is_file():
        yield from (database / "status").read_text().split("\n\n")
    for path in sorted((database / "status.d").glob("*")):
        if path.suffix != ".md5sums":
            yield path.read_text()


def program_component(given: str) -> dict[str, Any]:
    """Return the entry of a program, given as NAME@VERSION=PATH."""
    about, _, path = given.partition("=")
    name, _, version = about.partition("@")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    purl = f"pkg:generic/{name}@{quote(version, safe='')}?checksum=sha256:{digest}"
    hashes = [{"alg": "SHA-256", "content": digest}]
    return {"type": "application", "name": name, "version": version, "purl": purl, "bom-ref": purl, "hashes": hashes}


def bill(folder: str, root: Path | None = None, programs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the bill of the packages in `folder` and in `root`, and of `programs`, each in order of their names."""
    components = [component(package) for package in distributions(path=[folder])]
    ours = next((entry for entry in components if entry["name"] == PRODUCT), {"type": "application", "name": PRODUCT})
    listed = [entry for entry in components if entry["name"] != PRODUCT]
    listed += base_components(root) if root is not None else ()
    listed += map(program_component, programs)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**ours, "type": "application"}},
        "components": sorted(listed, key=lambda entry: (entry["name"], entry["version"])),
    }


def main() -> None:
    """Print the bill."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder")
    options.add_argument("--root", type=Path)
    options.add_argument("--program", action="append", default=[])
    given = options.parse_args()
    if given.root is not None and not any(_package_records(given.root)):
        sys.exit(f"{given.root} has no database of packages")
    json.dump(bill(given.folder, given.root, tuple(given.program)), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
