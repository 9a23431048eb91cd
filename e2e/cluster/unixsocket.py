"""Unix sockets under paths of any length: the kernel takes 107 bytes, so the folder is named by a descriptor."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _short(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket that only its owner may use."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with _short(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen()
        yield listener


def connected(path: Path, timeout: float | None) -> socket.socket:
    """Connect to a socket; it waits for ever where `timeout`, in seconds, is None."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with _short(path) as name:
            connection.connect(name)
    except OSError:
        connection.close()
        raise
    return connection
