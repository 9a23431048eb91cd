"""What the cluster takes from the distribution: which programs are missing, and the one command that brings them."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import MissingPackagesError
from e2e.cluster.node import CNI_PLUGINS

ELF_INTERPRETER = b"/ld-linux"
HEAD = 4096


@dataclass(frozen=True)
class Package:
    """A package and the file by which its presence is known: a command's name or a path."""

    name: str
    file: str
    static: bool = False

    @property
    def present(self) -> bool:
        """Say whether the package, or something that does the same, is here."""
        found = shutil.which(self.file)
        if found is None:
            return False
        return not self.static or ELF_INTERPRETER not in Path(found).resolve().read_bytes()[:HEAD]


EVERYWHERE = (Package("openssl", "openssl"), Package("util-linux", "setpriv"))
FULL = (
    Package("containerd", "containerd"),
    Package("runc", "runc"),
    Package("containernetworking-plugins", f"{CNI_PLUGINS}/ptp"),
    Package("busybox-static", "busybox", static=True),
    Package("nftables", "nft"),
    Package("conntrack", "conntrack"),
    Package("iproute2", "ip"),
    Package("mount", "mount"),
)
BY_PROGRAM = {
    package.file: package
    for package in (
        Package("docker-registry", "docker-registry"),
        Package("mmdebstrap", "mmdebstrap"),
        Package("g++", "g++"),
        Package("cmake", "cmake"),
        Package("ninja-build", "ninja"),
    )
}


def ensure(packages: Iterable[Package], *, install: bool) -> None:
    """Raise if a package is missing, or install what is missing when that was asked for or this is CI's own root."""
    missing = [package.name for package in packages if not package.present]
    if not missing:
        return
    root = os.geteuid() == 0
    if not install and not (root and os.environ.get("CI") == "true"):
        command = f"{'' if root else 'sudo '}apt-get install --no-install-recommends --yes {' '.join(missing)}"
        raise MissingPackagesError(
            f"{len(missing)} packages of the distribution are missing; this installs them:\n\n  {command}\n\n"
            "(or give --install-packages)"
        )
    prefix = [] if root else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "--quiet"], ["install", "--no-install-recommends", "--yes", *missing]):
        result = subprocess.run([*prefix, "apt-get", *arguments], env=environment, check=False)
        if result.returncode:
            raise MissingPackagesError(f"apt-get {' '.join(arguments)} ended with code {result.returncode}")
