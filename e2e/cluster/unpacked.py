"""Images as containerd unpacks them, kept for the nodes of all clusters: to do it takes half of the CPU time of a start.

A containerd of its own, which no cluster has, unpacks the images of a set once. A node's containerd gets its two databases as copies, and
the layers, in which nothing is written any more, as links.
"""

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from e2e.cluster import cache, images
from e2e.cluster.errors import ClusterError
from e2e.cluster.node import CONTAINERD_NAMESPACE
from e2e.cluster.oci import Image, archive
from e2e.cluster.places import cache_dir, locked

FOLDER = "nodes"
AT_ONCE = 2
_SOCKET = "/run/unpacking/containerd.sock"
"""Where no other containerd listens, so that none can be taken for this one."""
START_SECONDS = 30.0
STOP_SECONDS = 30.0
_CONTENT = "io.containerd.content.v1.content/blobs/sha256"
_LAYERS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")


def unpacked(wanted: Iterable[Image]) -> Path:
    """Return containerd's folder with the images, made now if it is not in the cache.

    Raises:
        ClusterError: containerd does not take one.
    """
    layouts = sorted(images.layout(image) for image in wanted)
    parts = (_output("containerd", "--version"), Path(__file__).read_text(), *(layout.name for layout in layouts))
    final = cache_dir() / FOLDER / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    if not cache.take(final):
        with locked(FOLDER):
            if not cache.take(final):
                print("unpacking the images of the node", flush=True)
                final.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                    _unpack(layouts, Path(scratch))
                    (Path(scratch) / "root").rename(final)
                cache.trim(FOLDER)
    return final


def link(source: Path, root: Path) -> None:
    """Give a node's containerd, whose folder will be `root`, the images of such a folder."""
    for database in _DATABASES:
        (root / database).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / database, root / database)
    (root / _CONTENT).mkdir(parents=True)
    for blob in (source / _CONTENT).iterdir():
        (root / _CONTENT / blob.name).hardlink_to(blob)
    (root / _LAYERS).mkdir()
    for layer in (source / _LAYERS).iterdir():
        (root / _LAYERS / layer.name).symlink_to(layer)


def _unpack(layouts: list[Path], scratch: Path) -> None:
    with _containerd(scratch) as pid, ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in threads.map(partial(_import, pid), layouts):
            pass
    _share_blobs(layouts, scratch / "root")


def _share_blobs(layouts: list[Path], root: Path) -> None:
    """Put links to the layouts' blobs in place of containerd's copies."""
    for blob in {blob.name: blob for layout in layouts for blob in (layout / "blobs" / "sha256").iterdir()}.values():
        copy = root / _CONTENT / blob.name
        copy.unlink()
        copy.hardlink_to(blob)


def _import(pid: int, layout: Path) -> None:
    command = ["nsenter", f"--target={pid}", "--mount", "--", "ctr", f"--address={_SOCKET}", f"--namespace={CONTAINERD_NAMESPACE}"]
    with archive(layout) as stream:
        result = subprocess.run([*command, "images", "import", "-"], stdin=stream, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"containerd does not take {layout}: {result.stderr.strip()}")


@contextmanager
def _containerd(scratch: Path) -> Iterator[int]:
    """Run a containerd without pods on the folder `root`, and yield its pid; nobody else sees its socket and its mounts."""
    config = scratch / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{scratch / "root"}"\nstate = "/run/unpacking/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{_SOCKET}"\n'
    )
    inside = f'mount -t tmpfs -o mode=755 unpacking /run && exec containerd --config="{config}" --log-level=warn'
    command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--", "sh", "-c", inside]
    log = scratch / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not Path(f"/proc/{process.pid}/root{_SOCKET}").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ClusterError(f"containerd does not serve: {log.read_text(errors='replace').strip()}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
        if process.returncode:
            raise ClusterError(f"containerd ended with {process.returncode}: {log.read_text(errors='replace').strip()}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
