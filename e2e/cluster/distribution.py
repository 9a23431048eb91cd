"""What the cluster takes from the distribution: which programs are missing, and the one command that brings them."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import MissingPackagesError

CNI_PLUGINS = "/usr/lib/cni"
"""Where the distribution puts them."""
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
        found = self.file if Path(self.file).is_file() else shutil.which(self.file)
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
DEBIAN = (
    Package("mmdebstrap", "mmdebstrap"),
    Package("gpg", "gpg"),
    Package("debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg"),
)
"""What makes a layer of Debian's packages; the last two are missing where the distribution is another one."""
BY_PROGRAM = {
    "docker-registry": (Package("docker-registry", "docker-registry"),),
    "mmdebstrap": DEBIAN,
    "g++": (Package("g++", "g++"),),
    "cmake": (Package("cmake", "cmake"),),
    "ninja": (Package("ninja-build", "ninja"),),
}


def ensure(packages: Iterable[Package], *, install: bool, option: str = "--install-packages") -> None:
    """Raise if a package is missing, or install what is missing when that was asked for or this is CI's own root.

    `option` is the option of the command that asks for it; empty: it has none.

    Raises:
        MissingPackagesError: with the command that installs what is missing, or apt-get's failure.
    """
    missing = [package.name for package in packages if not package.present]
    if not missing:
        return
    root = os.geteuid() == 0
    if not install and not (root and os.environ.get("CI") == "true"):
        command = f"{'' if root else 'sudo '}apt-get install --no-install-recommends --yes {' '.join(missing)}"
        raise MissingPackagesError(
            f"{len(missing)} packages of the distribution are missing; this installs them:\n\n  {command}"
            + (f"\n\n(or give {option})" if option else "")
        )
    prefix = [] if root else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "--quiet"], ["install", "--no-install-recommends", "--yes", *missing]):
        result = subprocess.run([*prefix, "apt-get", *arguments], env=environment, check=False)
        if result.returncode:
            raise MissingPackagesError(f"apt-get {' '.join(arguments)} ended with code {result.returncode}")
