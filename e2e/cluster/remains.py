"""Removes what outlives a cluster's processes: its folder and the control groups of its containers."""

import contextlib
import shutil
import time
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
    if places.root.exists():
        shutil.rmtree(places.root)


def control_groups(places: ClusterPlaces) -> list[Path]:
    """Return the groups of the cluster's containers: one each with version 2, one per hierarchy with version 1."""
    ids = node.container_ids(places)
    roots = [CGROUPS, *(entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink())]
    groups = [root / node.CGROUP_PARENT / container for root in roots for container in ids]
    return [group for group in groups if group.is_dir()]


def _remove_group(group: Path) -> None:
    """Remove a group bottom-up; one whose last process is just ending is busy for a moment."""
    deadline = time.monotonic() + BUSY_SECONDS
    for folder in sorted((entry for entry in (group, *group.rglob("*")) if entry.is_dir()), reverse=True):
        while True:
            try:
                folder.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
