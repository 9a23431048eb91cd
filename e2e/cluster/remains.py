"""Removes what outlives a cluster's processes: its folder and the control groups of its containers."""

import contextlib
import shutil
import time
from pathlib import Path

from e2e.cluster.node import CGROUP_PARENT
from e2e.cluster.places import ClusterPlaces

CGROUPS = Path("/sys/fs/cgroup")
BUSY_SECONDS = 5.0


def remove(places: ClusterPlaces) -> None:
    """Remove folder and control groups; the processes must be gone."""
    for group in control_groups(places.name):
        _remove_group(group)
        with contextlib.suppress(OSError):
            group.parent.rmdir()
    if places.root.exists():
        shutil.rmtree(places.root)


def control_groups(name: str) -> list[Path]:
    """Return the cluster's folder in each hierarchy: one with version 2, several with version 1."""
    candidates = [CGROUPS, *(entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink())]
    groups = [root / CGROUP_PARENT / name for root in candidates]
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
