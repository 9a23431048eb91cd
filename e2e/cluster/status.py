"""What a person is shown of a cluster, and of the cache."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.table import Table

from e2e.cluster import cache
from e2e.cluster.local import LocalCluster
from e2e.cluster.places import cache_dir
from e2e.cluster.processes import children, pid_inside, resident_bytes
from e2e.cluster.program import ProgramStatus, State

MEBIBYTE = 1 << 20
COLOURS = {State.RUNNING: "green", State.STOPPED: "yellow", State.DIED: "red"}


def table(cluster: LocalCluster) -> Table:
    """Return the programs of a cluster with the pids that the host knows them by."""
    pids = {pid_inside(pid): pid for pid in children(cluster.supervisor.pid)}
    shown = Table(title=f"{cluster.name} ({cluster.form})", title_justify="left")
    for column in ("program", "state"):
        shown.add_column(column)
    for column in ("pid", "RSS MiB"):
        shown.add_column(column, justify="right")
    total = 0
    for program, pid, size in _rows(cluster, pids):
        total += size
        colour = COLOURS[program.state]
        state = program.state if program.state is State.RUNNING else f"{program.state} ({program.code})"
        numbers = (str(pid), str(size // MEBIBYTE)) if pid else ("-", "-")
        shown.add_row(program.name, f"[{colour}]{state}[/]", *numbers)
    shown.caption = f"{total // MEBIBYTE} MiB without pods; add-ons: {', '.join(sorted(cluster.addons)) or 'none'}"
    return shown


def cache_table() -> Table:
    """Return what the cache holds: for each folder and name the number of entries, their size, and when one was last used."""
    shown = Table(title=str(cache_dir()), title_justify="left")
    for column in ("folder", "name"):
        shown.add_column(column)
    for column in ("entries", "MiB", "last used (UTC)"):
        shown.add_column(column, justify="right")
    total, seen = 0, set[int]()
    for folder in cache.KEPT:
        by_name: dict[str, list[cache.Entry]] = defaultdict(list)
        for entry in cache.entries(folder):
            by_name[entry.name].append(entry)
        for name, same in sorted(by_name.items()):
            total += (size := cache.size(same, seen))
            used = datetime.fromtimestamp(max(entry.used for entry in same), UTC)
            shown.add_row(folder, name or "(unfinished)", str(len(same)), str(size // MEBIBYTE), f"{used:%Y-%m-%d %H:%M}")
    shown.caption = f"{total // MEBIBYTE} MiB"
    return shown


def _rows(cluster: LocalCluster, pids: dict[int, int]) -> Iterator[tuple[ProgramStatus, int, int]]:
    for program in cluster.control.status():
        pid = pids.get(program.pid, 0) if program.state is State.RUNNING else 0
        yield program, pid, resident_bytes(pid) if pid else 0
