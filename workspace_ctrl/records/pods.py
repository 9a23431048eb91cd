"""Model-server pods, and why they are not ready."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from sys import intern
from typing import Final

from workspace_ctrl.api.conditions import find, parse_conditions
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.records.meta import Json, Meta, parse_meta, spec_of, status_of

_HARMLESS_WAITING = frozenset({"ContainerCreating", "PodInitializing"})
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
)
_OOM_KILLED: Final = "OOMKilled"
_MOST_LABELS: Final = 128
"""Kept of a pod's labels; selectors ask for a few, and a pod can have 10,000 of them."""
_LONGEST_REASON: Final = 128
_LONGEST_WORDS: Final = 1024
"""Characters that are kept of messages of kubelet and scheduler."""


@dataclass(frozen=True, slots=True)
class PodProblem:
    """Why a pod is not ready: a reason, and the message of kubelet or scheduler."""

    reason: str
    """As KAITO names it: Unschedulable, PodEvicted, ImagePullError, ContainerOOMKilled, ContainerCrashLoopBackOff, ContainerFailed; or
    the kubelet's own reason."""
    message: str

    @classmethod
    def of(cls, reason: str, message: str) -> "PodProblem":
        """Return the problem with a message of another component, on one line."""
        return cls(printable(reason, _LONGEST_REASON), printable(message, _LONGEST_WORDS))


@dataclass(frozen=True, slots=True)
class Pod:
    """A model-server pod."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)
    node: str = ""
    ready: bool = False
    problem: PodProblem | None = None
    """None if there is no problem."""

    @property
    def is_starting(self) -> bool:
        """Whether it is on its way: not ready, without a problem."""
        return not self.ready and self.problem is None and self.meta.is_usable

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Whether the pod has all labels of a non-empty `selector`."""
        return bool(selector) and all(self.labels.get(key) == value for key, value in selector.items())


def parse_pod(raw: Json, kind: str) -> Pod:
    """Return the record of a pod."""
    status = status_of(raw)
    meta = parse_meta(raw, kind)
    ready = find(parse_conditions(status.get("conditions")), "Ready")
    is_ready = ready is not None and ready.is_true and not meta.deleting
    return Pod(
        meta=meta,
        labels={
            intern(key): intern(value) for key, value in islice((raw.get("metadata", {}).get("labels") or {}).items(), _MOST_LABELS)
        },
        node=intern(spec_of(raw).get("nodeName") or ""),
        ready=is_ready,
        problem=None if is_ready else next(_problems(status), None),
    )


def _problems(status: Json) -> Iterator[PodProblem]:
    scheduled = find(parse_conditions(status.get("conditions")), "PodScheduled")
    if scheduled is not None and scheduled.reason == "Unschedulable":
        yield PodProblem.of("Unschedulable", scheduled.message)
    if status.get("phase") == "Failed":
        reason = status.get("reason") or "Failed"
        yield PodProblem.of("PodEvicted" if reason == "Evicted" else f"Pod{reason}", status.get("message") or reason)
    for entry in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container_problems(entry)


def _container_problems(entry: Json) -> Iterator[PodProblem]:
    """Yield the problems of a container; one that was restarted after a crash has a problem until its pod is ready."""
    container, state = entry.get("name", ""), entry.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, words = waiting.get("reason") or "", waiting.get("message") or ""
    if reason in _IMAGE_REASONS:
        yield PodProblem.of("ImagePullError", f"container {container}: {reason}: {words}".rstrip(": "))
        return
    ended = state.get("terminated") or (entry.get("lastState") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        yield _crash(container, ended, entry.get("restartCount") or 0, backing_off=reason == "CrashLoopBackOff")
    elif reason and reason not in _HARMLESS_WAITING:
        yield PodProblem.of(reason, f"container {container}: {words}".rstrip(": "))


def _crash(container: str, ended: Json, restarts: int, *, backing_off: bool) -> PodProblem:
    code, lines = ended["exitCode"], (ended.get("message") or "").strip().splitlines()
    times = f", restarted {restarts} times" if restarts > 1 else ""
    said = f"; last message: {lines[-1].strip()[:300]}" if lines else ""
    message = f"container {container} exited with code {code}{times}{said}"
    if ended.get("reason") == _OOM_KILLED:
        return PodProblem("ContainerOOMKilled", f"container {container} OOM-killed: the node or its limit ran out of memory{times}")
    return PodProblem.of("ContainerCrashLoopBackOff" if backing_off else "ContainerFailed", message)
