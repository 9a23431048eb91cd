"""Where things lie: the cache that outlives clusters, and the folder of one cluster that goes with it."""

import fcntl
import os
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from e2e.cluster.errors import ClusterError

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent.parent
PYTHON = Path(sys.executable)
"""Not resolved on purpose: the path is what puts an interpreter into its virtual environment."""

CLUSTER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
INSIDE = "inside"
HOST = "host"


def cache_dir() -> Path:
    """Return the folder for built programs, images and clusters; all of it can be deleted at any time."""
    if chosen := os.environ.get("WORKSPACE_CTRL_CACHE"):
        return Path(chosen).resolve()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "workspace-ctrl"
    return Path.home() / ".cache" / "workspace-ctrl"


@contextmanager
def locked(name: str, *, busy: str = "") -> Iterator[None]:
    """Hold the lock `name` among all processes that share the cache; say `busy` if another one has it.

    No file is left of it.
    """
    path = cache_dir() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            _wait_for(file, busy)
            if not _is(path, file.fileno()):
                continue  # the former holder has removed the file that we waited for
            try:
                yield
            finally:
                path.unlink()
            return


def _wait_for(file: IO[str], busy: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if busy:
            print(busy, file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def _is(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class ClusterPlaces:
    """Every path of one cluster. The root goes away with the cluster."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that is not that of a folder: the folder will be removed one day."""
        if not CLUSTER_NAME.fullmatch(self.name):
            raise ClusterError(f"{self.name!r} cannot name a cluster; use small letters, digits and hyphens")

    @property
    def root(self) -> Path:
        """The folder that holds everything of this cluster."""
        return clusters_dir() / self.name

    @property
    def logs(self) -> Path:
        """One file per program."""
        return self.root / "logs"

    @property
    def settings(self) -> Path:
        """What was asked for, written before the first process starts."""
        return self.root / "settings.json"

    @property
    def keeper(self) -> Path:
        """The keeper's process ids, written once it serves."""
        return self.root / "keeper.json"

    @property
    def addons(self) -> Path:
        """The installed add-ons."""
        return self.root / "addons.json"

    @property
    def control_socket(self) -> Path:
        """Where the supervisor takes orders."""
        return self.root / "control.sock"

    @property
    def kubectl_socket(self) -> Path:
        """Where the process that runs all kubectl commands takes them."""
        return self.root / "kubectl.sock"

    @property
    def kubectl_cache(self) -> Path:
        """What kubectl remembers of the API server: some megabytes, which would stay in the home directory for ever."""
        return self.data / "kubectl"

    @property
    def pki(self) -> Path:
        """Certificate, key and the actors' tokens."""
        return self.root / "pki"

    @property
    def audit_log(self) -> Path:
        """One JSON line per API call of an actor."""
        return self.root / "audit.log"

    @property
    def config(self) -> Path:
        """Configuration files of the programs."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """What the programs store: etcd, containerd, kubelet, charts."""
        return self.root / "data"

    @property
    def registry(self) -> Path:
        """The storage of the cluster's registry: charts and images."""
        return self.data / "registry"

    def kubeconfig(self, actor: str, where: str) -> Path:
        """Return the kubeconfig of an actor, for processes on the host or inside."""
        return self.root / "kubeconfigs" / f"{where}-{actor}.yaml"

    def log(self, program: str) -> Path:
        """Return the log file of a program."""
        return self.logs / f"{program}.log"


def clusters_dir() -> Path:
    """Return the folder with one folder per cluster."""
    return cache_dir() / "clusters"


def spread_clusters() -> None:
    """Have ext4 put each cluster's files where there is room, instead of near those of all others; other file systems need no advice.

    Where thousands of files came and went near the folder, making one took ten times as long (0.5 instead of 0.04 ms).
    """
    clusters_dir().mkdir(parents=True, exist_ok=True)
    folder = os.open(clusters_dir(), os.O_RDONLY)
    try:
        (flags,) = struct.unpack("i", fcntl.ioctl(folder, _GET_FLAGS, bytes(4)))
        fcntl.ioctl(folder, _SET_FLAGS, struct.pack("i", flags | _TOP_OF_A_TREE))
    except OSError:  # it is only advice, which may also be somebody else's to give
        pass
    finally:
        os.close(folder)


_GET_FLAGS, _SET_FLAGS, _TOP_OF_A_TREE = 0x80086601, 0x40086602, 0x00020000
"""FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_TOPDIR_FL of linux/fs.h."""


def cluster_names() -> list[str]:
    """Return the names of all clusters that have a folder, running or not."""
    if not clusters_dir().is_dir():
        return []
    return sorted(entry.name for entry in clusters_dir().iterdir() if entry.is_dir())
