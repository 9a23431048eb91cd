"""The bill of materials lists all of an image: packages of PyPI, the base image with its packages, and programs that are copied in."""

import hashlib
import json
import subprocess
import sys

import pytest

from e2e.cluster.places import REPOSITORY

PYTHON = """Package: python3.11-minimal
Status: install ok installed
Architecture: amd64
Version: 3.11.2-6+deb12u6
Description: x
 more
"""
TZDATA = "Package: tzdata\nVersion: 2025b-0+deb12u2\nArchitecture: all\n"
REMOVED = "Package: bash\nStatus: deinstall ok not-installed\nVersion: 5\nArchitecture: amd64\n"


def bill(*arguments):
    command = [sys.executable, REPOSITORY / "image" / "sbom.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path):
    about = tmp_path / "packages" / "aiohttp-3.14.5.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: aiohttp\nVersion: 3.14.5\nLicense-Expression: Apache-2.0\n")
    return tmp_path / "packages"


@pytest.fixture(params=["one file", "a file for each"])
def root(request, tmp_path):
    """A base image, as Debian's or as a distroless one."""
    base = tmp_path / "base"
    (base / "etc").mkdir(parents=True)
    (base / "etc" / "os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    database = base / "var" / "lib" / "dpkg"
    if request.param == "one file":
        database.mkdir(parents=True)
        (database / "status").write_text(f"{PYTHON}\n{REMOVED}\n{TZDATA}")
    else:
        (database / "status.d").mkdir(parents=True)
        (database / "status.d" / "python3.11-minimal").write_text(PYTHON)
        (database / "status.d" / "tzdata").write_text(TZDATA)
        (database / "status.d" / "tzdata.md5sums").write_text("0 usr/share/x\n")
    return base


def test_it_has_the_packages_the_base_and_the_programs(folder, root, tmp_path):
    helm = tmp_path / "helm"
    helm.write_bytes(b"program")
    document = json.loads(bill(folder, "--root", root, "--program", f"helm@v3.19.0={helm}").stdout)
    found = {entry["name"]: entry for entry in document["components"]}
    assert {name: (entry["type"], entry["version"]) for name, entry in found.items()} == {
        "aiohttp": ("library", "3.14.5"),
        "debian": ("operating-system", "12"),
        "helm": ("application", "v3.19.0"),
        "python3.11-minimal": ("library", "3.11.2-6+deb12u6"),
        "tzdata": ("library", "2025b-0+deb12u2"),
    }
    assert found["aiohttp"]["purl"] == "pkg:pypi/aiohttp@3.14.5"
    assert found["python3.11-minimal"]["purl"] == "pkg:deb/debian/python3.11-minimal@3.11.2-6%2Bdeb12u6?arch=amd64&distro=debian-12"
    assert found["helm"]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"program").hexdigest()}]
    references = [entry["bom-ref"] for entry in document["components"]]
    assert len(set(references)) == len(references)


def test_a_base_without_packages_is_an_error_and_not_an_empty_bill(folder, tmp_path):
    result = bill(folder, "--root", tmp_path)
    assert result.returncode
    assert "has no database of packages" in result.stderr


def test_the_images_are_built_with_the_whole_bill():
    text = (REPOSITORY / "Dockerfile").read_text()
    assert "sbom.py /opt/workspace-ctrl --root /base > /opt/workspace-ctrl/sbom.cdx.json" in text
    assert "--program \"helm@$(/helm version --template '{{.Version}}')=/helm\" > /sbom.cdx.json" in text
    assert "COPY --from=helm-bill /sbom.cdx.json /opt/workspace-ctrl/sbom.cdx.json" in text
