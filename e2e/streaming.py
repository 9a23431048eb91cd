"""Streamed answers of a model, begun without a pause by some clients, and what became of them."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import e2e.streams
from e2e.cluster import Cluster
from e2e.waiting import WAIT_SECONDS


class Streams:
    """The answers of some clients so far."""

    def __init__(self, process: subprocess.Popen[str], clients: int) -> None:
        self.begun = 0
        self.answers: list[dict[str, Any]] = []
        self._process = process
        self._clients = clients
        self._news = threading.Condition()

    def read(self) -> None:
        """Take in what is reported, until the last answer has ended."""
        for line in self._process.stdout or ():
            found = json.loads(line)
            with self._news:
                if "begun" in found:
                    self.begun += 1
                else:
                    self.answers.append(found)
                self._news.notify_all()

    def wait_begun(self) -> None:
        """Wait until each client has the beginning of an answer."""
        self._wait(lambda: self.begun >= self._clients)

    def wait(self) -> None:
        """Wait until as many more answers have ended as there are clients."""
        wanted = len(self.answers) + self._clients
        self._wait(lambda: len(self.answers) >= wanted)

    def _wait(self, holds: Callable[[], bool]) -> None:
        with self._news:
            if not self._news.wait_for(holds, WAIT_SECONDS):
                raise TimeoutError(f"no such answers within {WAIT_SECONDS} s: {self.answers}")

    def stop(self) -> None:
        """Have no further answer begin."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def broken(self) -> list[dict[str, Any]]:
        """The answers that did not come to their end."""
        return [answer for answer in self.answers if not answer["whole"]]


@contextmanager
def streaming(cluster: Cluster, url: str, model: str, clients: int, words: int) -> Iterator[Streams]:
    """Have answers of so many `words` streamed without a pause; leaving it waits for those that have begun."""
    command = [sys.executable, str(Path(e2e.streams.__file__)), url, model, str(clients), str(words)]
    process = cluster.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    found = Streams(process, clients)
    reader = threading.Thread(target=found.read, daemon=True)
    reader.start()
    try:
        yield found
    finally:
        found.stop()
        reader.join(WAIT_SECONDS)
        process.wait(WAIT_SECONDS)
