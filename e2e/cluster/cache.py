"""What the cache keeps: of each name the entries that were used last. Making another one removes the rest, and so does `cache --clean`.

Each change of a source makes entries of a new fingerprint, and most of them are never asked for again. An entry that a running cluster or
another process may be using stays: what was used within the last hour, or since an hour before the oldest running cluster was started.
"""

import json
import os
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.places import cache_dir, locked
from e2e.cluster.running import running_since

KEPT = {"programs": 3, "layers": 4, "images": 12, "charts": 4, "own-charts": 12, "earlier": 2, "models": 2, "crds": 6, "nodes": 4}
"""Folders, and how many entries of one name each keeps. Working copies with other sources that are tested in turns want entries of their
own: those that are quickly used up and cheap to have are kept in greater number than programs, which rarely change."""
HOUR = 3600.0
DAY = 24 * HOUR
LEFTOVER = ""
"""The name of what is no finished entry: of a process that was killed while it made one."""

_FINISHED = re.compile(r"(?:(?P<name>.+)-)?[0-9a-f]{12,16}(?:\.[a-z]+)?")


@dataclass(frozen=True)
class Entry:
    """One finished thing of one fingerprint."""

    path: Path
    name: str
    """What it is, whatever its fingerprint."""
    used: float
    """When it was made or last taken, in seconds since the epoch."""


def take(path: Path) -> bool:
    """Say whether this entry is there, and if so, note that it is used now."""
    # Who may only read the cache, as after `sudo -E`, cannot note it, and uses it all the same.
    with suppress(OSError), locked("cache"):
        os.utime(path)
    return path.exists()


def entries(folder: str) -> list[Entry]:
    """Return all entries of a folder of the cache, whose locks need not be held."""
    found = []
    for path in (cache_dir() / folder).glob("*"):
        with suppress(FileNotFoundError):  # a process that ends takes its temporary folder along
            found.append(Entry(path, _name(path), path.stat().st_mtime))
    return found


def surplus(found: Iterable[Entry], keep: int, unused_since: float) -> list[Entry]:
    """Return what can go: all but the `keep` entries of each name that were used last, and nothing that was used since then.

    What was left by killed processes can go a day earlier than that.
    """
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(found, key=lambda entry: entry.used, reverse=True):
        by_name[entry.name].append(entry)
    old = [entry for name, same in by_name.items() if name != LEFTOVER for entry in same[keep:] if entry.used < unused_since]
    return [*old, *(entry for entry in by_name[LEFTOVER] if entry.used < unused_since - DAY)]


def trim(folder: str, keep: int | None = None) -> list[Entry]:
    """Remove the surplus of a folder, and return it; `keep` is how many entries of each name stay, by default as in `KEPT`."""
    if not (cache_dir() / folder).is_dir():
        return []
    with tempfile.TemporaryDirectory(dir=cache_dir() / folder, prefix=".removed-") as scratch, locked("cache"):
        unused_since = min([time.time(), *running_since()]) - HOUR
        old = surplus(entries(folder), KEPT[folder] if keep is None else keep, unused_since)
        # Moved away in no time: nobody finds half an entry, even if this process is killed now.
        return [entry for entry in old if _moved(entry, Path(scratch))]


def size(found: Iterable[Entry], seen: set[int]) -> int:
    """Return the bytes of entries on the disk; files whose inodes have been `seen` count for nothing, and all others are added there."""
    total = 0
    for entry in found:
        for path in (entry.path, *entry.path.rglob("*")):
            with suppress(FileNotFoundError):
                stat = path.lstat()
                total += 0 if stat.st_ino in seen else stat.st_size
                seen.add(stat.st_ino)
    return total


def _moved(entry: Entry, folder: Path) -> bool:
    try:
        entry.path.rename(folder / entry.path.name)
    except PermissionError:  # of root; whoever may remove it does so another time
        return False
    return True


def _name(path: Path) -> str:
    finished = _FINISHED.fullmatch(path.name)
    if finished is None:
        return LEFTOVER
    return _image_name(path) or finished["name"] or path.parent.name


def _image_name(layout: Path) -> str:
    """Return the name of an image without its tag; of other entries, nothing."""
    try:
        (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    except (FileNotFoundError, NotADirectoryError):
        return ""
    name: str = entry["annotations"]["io.containerd.image.name"]
    return name.rpartition(":")[0]
