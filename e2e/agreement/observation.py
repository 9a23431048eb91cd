"""Both time lines of one Workspace, recorded while they happen."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from e2e.agreement.timeline import Change, Sample, Stretch, agreed_since, stretches, unchanged_since, well_since
from e2e.cluster import Cluster

CALM_SECONDS = 3.0
"""How long both must have said the same for a fault to have had its whole effect."""
WELL_SECONDS = 1.0
"""How long requests must have been answered, and the condition True, before the next fault."""
_SAMPLER = Path(__file__).with_name("sampler.py")
_WATCH = "/apis/kaito.sh/v1beta1/namespaces/{}/{}?watch=true&fieldSelector=metadata.name%3D{}"


class NotSteadyError(Exception):
    """A Workspace did not come (back) to where a fault can be tried; the message shows the end of both time lines."""


class Observation:
    """Samples and changes of a Workspace or InferenceSet, from entering to leaving this context."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, plural: str = "workspaces", sampling: tuple[float, float] | None = None
    ) -> None:
        """Make it; `sampling` is how often a request is sent, and after how long it counts as not answered, both in seconds."""
        self._cluster = cluster
        self._path = _WATCH.format(namespace, plural, name)
        self._sampling = tuple(map(str, sampling or ()))
        self._news = threading.Condition()
        self._processes: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._url = ""
        self.samples: list[Sample] = []
        self.changes: list[Change] = []

    def __enter__(self) -> Self:
        """Begin to watch; requests begin with the first URL."""
        watch = [*self._cluster.kubectl_command("user"), "get", "--raw", self._path]
        self._read_lines(subprocess.Popen(watch, stdout=subprocess.PIPE, text=True), self._note_event)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End both."""
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.wait()

    def wait_well(self, seconds: float) -> float:
        """Wait until requests are answered and the condition is True, and say since when.

        Raises:
            NotSteadyError: that was not so within `seconds`.
        """

        def since() -> float | None:
            found = well_since(self._recent(0.0))
            return found if found is not None and self._newest() - found >= WELL_SECONDS else None

        moment = self._wait(since, seconds)
        if moment is None:
            raise NotSteadyError(f"not well within {seconds:.0f} s: {self._ends()}")
        return moment

    def wait_calm(self, start: float, seconds: float, *, may_differ: bool = False) -> None:
        """Wait until both have said the same for a while, with a change of the condition since `start`, or `seconds` have passed.

        Where they may differ on purpose, it is enough that neither changes.
        """
        calm_since = unchanged_since if may_differ else agreed_since

        def calm() -> float | None:
            found = calm_since(self._recent(start)) if self._moved(start) else None
            return found if found is not None and self._newest() - found >= CALM_SECONDS else None

        self._wait(calm, seconds)

    def pause(self) -> None:
        """Send no requests until `resume`; those that are under way go on."""
        self._send("")

    def resume(self) -> None:
        """Send requests again."""
        self._send(self._url)

    def between(self, start: float, end: float) -> list[Stretch]:
        """Return what held from `start` to `end`."""
        with self._news:
            return stretches(self.samples, self.changes, start, end)

    def _recent(self, start: float) -> list[Stretch]:
        end = self._newest()
        start = max(start, end - 2 * CALM_SECONDS)
        return stretches(self.samples, self.changes, start, end) if start < end else []

    def _moved(self, start: float) -> bool:
        """Whether the condition changed since `start`; what shows no effect at once may show it later."""
        return any(change.at > start for change in self.changes)

    def _newest(self) -> float:
        """Return up to when the requests are known; one that hangs is known when it is given up."""
        return max((sample.at for sample in self.samples), default=0.0)

    def _wait(self, holds: Callable[[], float | None], seconds: float) -> float | None:
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                found = holds() if self.samples and self.changes else None
                left = deadline - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self._news.wait(left)

    def _read_lines(self, process: subprocess.Popen[str], note: Callable[[str], None]) -> None:
        self._processes.append(process)
        thread = threading.Thread(target=_each_line, args=(process, note), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _note_event(self, line: str) -> None:
        at = time.monotonic()
        event = json.loads(line)
        if event["type"] == "BOOKMARK":
            return
        status = event["object"].get("status", {})
        self._follow(status)
        ready, reason = _gateway_ready(status)
        with self._news:
            if not self.changes or self.changes[-1].ready != ready:
                self.changes.append(Change(at, ready, reason))
            self._news.notify_all()

    def _note_sample(self, line: str) -> None:
        finished = json.loads(line)
        with self._news:
            self.samples.append(Sample(finished["at"], finished["status"] == HTTPStatus.OK, finished["status"]))
            self._news.notify_all()

    def _follow(self, status: dict[str, Any]) -> None:
        """Send the requests to where the status says that the model is, from now on."""
        gateway = status.get("gateway") or {}
        url = gateway.get("url") or gateway.get("internalUrl")  # of a Gateway that tells no address
        if not url or url == self._url:
            return
        if not self._url:
            command = [sys.executable, str(_SAMPLER), gateway["modelNames"][0], *self._sampling]
            pipe = subprocess.PIPE
            self._sampler = self._cluster.popen(command, stdin=pipe, stdout=pipe)
            self._read_lines(self._sampler, self._note_sample)
        self._url = url
        self._send(url)

    def _send(self, url: str) -> None:
        stdin = self._sampler.stdin
        if stdin is not None:
            stdin.write(f"{url}\n")
            stdin.flush()

    def _ends(self) -> str:
        last = [f"{sample.status}" for sample in sorted(self.samples)[-5:]]
        said = [f"{change.ready} {change.reason}" for change in self.changes[-3:]]
        return f"the last requests: {', '.join(last) or 'none'}; the condition: {', '.join(said) or 'not seen'}; URL {self._url}"


def _each_line(process: subprocess.Popen[str], note: Callable[[str], None]) -> None:
    for line in process.stdout or ():
        note(line)


def _gateway_ready(status: dict[str, Any]) -> tuple[bool, str]:
    for condition in status.get("conditions", []):
        if condition["type"] == "GatewayReady":
            return condition["status"] == "True", condition["reason"]
    return False, ""
