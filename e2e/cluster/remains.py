"""Removes what outlives a cluster's processes: its folder and the control groups of its containers."""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from e2e.cluster import node
from e2e.cluster.places import ClusterPlaces

CGROUPS = Path("/sys/fs/cgroup")
BUSY_SECONDS = 5.0


def remove(places: ClusterPlaces) -> None:
    """Remove folder and control groups; the processes must be gone."""
    for group in control_groups(places):
        _remove_group(group)
        with contextlib.suppress(OSError):
            group.parent.rmdir()
    _persist(places.root, lambda: shutil.rmtree(places.root))


def control_groups(places: ClusterPlaces) -> list[Path]:
    """Return the groups of the cluster's containers: one each with version 2, one per hierarchy with version 1."""
    ids = node.container_ids(places)
    roots = [CGROUPS, *(entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink())]
    groups = [root / node.CGROUP_PARENT / container for root in roots for container in ids]
    return [group for group in groups if group.is_dir()]


def _remove_group(group: Path) -> None:
    for folder in sorted((entry for entry in (group, *group.rglob("*")) if entry.is_dir()), reverse=True):
        _persist(folder, folder.rmdir)


def _persist(path: Path, remove: Callable[[], None]) -> None:
    """Remove something, again for a while: one whose last process is just ending is busy for a moment."""
    deadline = time.monotonic() + BUSY_SECONDS
    while path.exists():
        try:
            remove()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
