"""The counters of model servers, and what comes to them in a step of a canary, pod by pod.

A counter falls only when the process that has it is started anew. If one falls while no container of the pod was restarted, or another
process answers, there are several processes that do not share their counters, and each reading is of any one of them: the differences
between two readings are no requests. So nothing of such a pod counts, until its containers are restarted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from workspace_ctrl.model.canary import CountingServer, Figures

_NOT_SHARED: Final = (
    "its counters fall, or are those of another process, although it was not restarted, as with several processes that do not share them "
    "(PROMETHEUS_MULTIPROC_DIR); workspace-ctrl promote or abort decides instead"
)


@dataclass(frozen=True, slots=True)
class Counters:
    """What the process of a model server has counted since it was started; none of these numbers falls while it runs."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    """HTTP status, such as 2xx or 503 → number of requests."""
    answers: int = 0
    """Requests whose duration is in `seconds`."""
    seconds: float = 0.0
    has_http_durations: bool = False
    """Whether `answers` and `seconds` are those of the HTTP server; as long as it has none, they are those of its engine."""
    process: float | None = None
    """When the process was started, as it says; None if it does not."""

    def is_behind(self, earlier: "Counters") -> bool:
        """Whether these are no later counters of the same process."""
        if None not in {self.process, earlier.process} and self.process != earlier.process:
            return True
        # the durations of the HTTP server can come, whatever the engine has counted until then, but do not go
        if (self.has_http_durations, self.answers) < (earlier.has_http_durations, earlier.answers):
            return True
        return any(self.statuses.get(key, 0) < count for key, count in earlier.statuses.items())

    def since(self, earlier: "Counters") -> Figures:
        """Return what was counted since `earlier`; a number that has fallen counts as unchanged, and one that was not there was 0."""
        is_same = self.has_http_durations == earlier.has_http_durations
        answers, seconds = (earlier.answers, earlier.seconds) if is_same else (0, 0.0)
        grown = {key: max(count - earlier.statuses.get(key, 0), 0) for key, count in self.statuses.items()}
        return Figures(
            requests=sum(grown.values()),
            errors=sum(count for key, count in grown.items() if key.startswith("5")),
            rejected=sum(count for key, count in grown.items() if key.startswith("4")),
            answers=max(self.answers - answers, 0),
            seconds=max(self.seconds - seconds, 0.0),
        )


@dataclass(frozen=True, slots=True)
class PodCount:
    """What was counted of one pod in a step."""

    last: Counters
    """As they were read last."""
    restarts: int
    """Of its containers, at that time."""
    counted: Figures = field(default_factory=Figures)
    has_several_processes: bool = False
    """Whether they have counters of their own, so that nothing counts."""

    def read(self, now: Counters, restarts: int) -> "PodCount":
        """Return what is counted after another reading, for which its containers have been restarted so often."""
        is_behind, is_restarted = now.is_behind(self.last), restarts > self.restarts
        if is_behind and is_restarted:
            return PodCount(now, restarts, self.counted + now.since(Counters()))
        if is_restarted or not (is_behind or self.has_several_processes):
            return PodCount(now, restarts, self.counted + now.since(self.last))
        return PodCount(now, self.restarts, has_several_processes=True)


@dataclass(frozen=True, slots=True)
class CountedPods:
    """What was counted in a step of the pods of a canary, or of the other members."""

    pods: Mapping[str, PodCount] = field(default_factory=dict)
    """uid of a pod that is still there → what was counted of it."""
    gone: Figures = field(default_factory=Figures)
    """What was counted of pods that are not there any more."""

    @property
    def total(self) -> Figures:
        """All that was counted."""
        return sum((pod.counted for pod in self.pods.values()), self.gone)

    def begun_again(self) -> "CountedPods":
        """Return these pods, of which nothing was counted yet."""
        return CountedPods({uid: replace(pod, counted=Figures()) for uid, pod in self.pods.items()})

    def read(self, servers: Sequence[CountingServer], found: Mapping[str, Counters | str]) -> "CountedPods":
        """Return what is counted of `servers` after a reading, in which `found` has their counters, or why one is not known.

        Of a pod that is read for the first time, nothing counts.
        """
        present = {server.uid for server in servers}
        left = [pod.counted for uid, pod in self.pods.items() if uid not in present]
        return CountedPods(dict(self._pods(servers, found)), sum(left, self.gone))

    def _pods(self, servers: Sequence[CountingServer], found: Mapping[str, Counters | str]) -> Iterator[tuple[str, PodCount]]:
        for server in servers:
            now, before = found.get(server.uid), self.pods.get(server.uid)
            if isinstance(now, Counters):
                yield server.uid, before.read(now, server.restarts) if before is not None else PodCount(now, server.restarts)
            elif before is not None:
                yield server.uid, before

    def unknown(self, servers: Sequence[CountingServer], found: Mapping[str, Counters | str]) -> str:
        """Return why what one of `servers` has counted is not known after a reading; empty if it is known of all."""
        for server in servers:
            read, pod = found.get(server.uid), self.pods.get(server.uid)
            if isinstance(read, str):
                return read
            if pod is not None and pod.has_several_processes:
                return f"Pod {server.name}: {_NOT_SHARED}"
        return ""
