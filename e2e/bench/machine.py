"""The machine, as a reader of figures needs to know it."""

import os
import platform
from datetime import UTC, datetime


def machine() -> str:
    """Return cores, memory, system and Python in a line."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        system = platform.system()
    return f"{os.cpu_count()} cores, {gib:.0f} GiB, {system}, Python {platform.python_version()}"


def today() -> str:
    """Return the date in UTC."""
    return datetime.now(UTC).date().isoformat()
