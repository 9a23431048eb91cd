"""The version before this one, from the history of this repository: what users upgrade from."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import yaml

from e2e import policies, workspaces
from e2e.cluster import Cluster, cache
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import REPOSITORY, cache_dir, locked
from workspace_ctrl.api.crd import crd

VERSION = "0.1.0"
COMMIT = "a05d3874f77d0e41c7e2042ba63ddbc14b414ca8"


def earlier() -> Path:
    """Return a folder with the files of that version, made now if it is not in the cache.

    Raises:
        ClusterError: this is no git repository, or its history does not go so far back.
    """
    final = cache_dir() / "earlier" / COMMIT[:12]
    with locked("earlier"):
        if not cache.take(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                _export(Path(scratch))
                (Path(scratch) / "files").rename(final)
            cache.trim("earlier")
    return final


def go_back(cluster: Cluster) -> None:
    """Leave the CRD as that version has it, and no policy that came later, as a rollback of the chart does."""
    policies.remove(cluster)
    _apply_crd(cluster, (earlier() / "charts/workspace-ctrl/files/kaito.sh_workspaces.yaml").read_text())


def go_on(cluster: Cluster) -> None:
    """Leave CRD and policies of this version, as an upgrade of the chart does."""
    _apply_crd(cluster, yaml.safe_dump(crd()))
    policies.install(cluster)


def _apply_crd(cluster: Cluster, document: str) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=document)
    workspaces.wait_served(cluster, "workspaces.kaito.sh")


def _export(scratch: Path) -> None:
    archive = scratch / "archive.tar"
    command = ["git", "-C", str(REPOSITORY), "archive", f"--output={archive}", COMMIT]
    if shutil.which("git") is None:
        raise ClusterError(f"git is needed for the files of version {VERSION}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        way = "get the whole history: git fetch --unshallow"
        raise ClusterError(f"version {VERSION} (commit {COMMIT[:7]}) is not in this repository; {way}\n{result.stderr.strip()}")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch / "files", filter="data")
