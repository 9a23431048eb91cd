"""Requests without a pause, as clients of a model send them while something is changed, and how many of them were lost."""

import json
import subprocess
import sys
import threading
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import e2e.agreement
from e2e.cluster import Cluster
from e2e.waiting import WAIT_SECONDS

INTERVAL_SECONDS = 0.05
ANSWER_SECONDS = 30.0
"""After which a request is lost; a machine with too much to do may need long for one."""
_SAMPLER = Path(e2e.agreement.__file__).with_name("sampler.py")
_ROW = 20
"""Requests that must have been answered one after the other for all to be well."""
_FIRST_ROW = 100
"""The same at the beginning: a proxy that has just started may fall back for some seconds."""


class Traffic:
    """One chat completion every 50 ms, each over a connection of its own, from entering to leaving this context."""

    def __init__(self, cluster: Cluster, url: str, model: str) -> None:
        self._cluster = cluster
        self._url = url
        self._model = model
        self._news = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._row = 0
        self._counting = False
        self.query_results: Counter[int] = Counter()
        """HTTP status, or 0 for no answer within 10 s → number of requests, since all was well at the beginning."""

    @property
    def lost(self) -> dict[int, int]:
        """Those of `query_results` that are none."""
        return {status: count for status, count in sorted(self.query_results.items()) if status != HTTPStatus.OK}

    def __enter__(self) -> Self:
        """Begin, and wait until all is well."""
        command = [sys.executable, str(_SAMPLER), self._model, str(INTERVAL_SECONDS), str(ANSWER_SECONDS)]
        self._process = self._cluster.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self._say(f"{self._url}\n")
        try:
            self.wait_answered(_FIRST_ROW)
        except AssertionError:
            self._end()
            raise
        self._counting = True
        return self

    def wait_answered(self, row: int = _ROW) -> None:
        """Wait until `row` requests that are finished from now on are answered, one after the other.

        Raises:
            AssertionError: they are not.
        """
        with self._news:
            self._row = 0
            if not self._news.wait_for(lambda: self._row >= row, WAIT_SECONDS):
                raise AssertionError(f"{self._url} does not answer steadily: {dict(self.query_results)}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Send no more requests, and wait for the answers to those that are under way."""
        self._end()

    def _end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(WAIT_SECONDS)
        if self._reader is not None:
            self._reader.join(WAIT_SECONDS)

    def _say(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            status = json.loads(line)["status"]
            with self._news:
                self._row = self._row + 1 if status == HTTPStatus.OK else 0
                if self._counting:
                    self.query_results[status] += 1
                self._news.notify_all()
