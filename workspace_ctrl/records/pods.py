"""Model-server pods, and why they are not ready."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from sys import intern
from typing import Final

from workspace_ctrl.api.conditions import find, parse_conditions
from workspace_ctrl.api.labels import POD_INDEX_LABEL
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.records.meta import Json, Meta, parse_meta, spec_of, status_of

_HARMLESS_WAITING = frozenset({"ContainerCreating", "PodInitializing"})
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
)
_ENDED: Final = frozenset({"Failed", "Succeeded"})
VOLUMES_NOT_MOUNTED: Final = "VolumesNotMounted"
_OOM_KILLED: Final = "OOMKilled"
_MOST_LABELS: Final = 128
"""Kept of a pod's labels; selectors ask for a few, and a pod can have 10,000 of them."""
_LONGEST_ADDRESS: Final = 64
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
    has_ended: bool = False
    """Whether it will never run again, as after an eviction; it is kept only for its message."""
    is_waiting_for_volumes: bool = False
    """Whether it is on a node, and its volumes are not mounted, or its network is not ready. Only Events say why."""
    created: str = ""
    """Creation time, as text that sorts by time."""
    address: str = ""
    """Its IP address while it is ready; empty before, as nobody asks it then."""
    restarts: int = 0
    """How often its containers have been started again."""

    @property
    def is_starting(self) -> bool:
        """Whether it is starting: not ready, without a problem."""
        return not self.ready and self.problem is None and self.meta.is_usable

    @property
    def has_index(self) -> bool:
        """Whether the pod has a place in a StatefulSet."""
        return POD_INDEX_LABEL in self.labels

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Whether the pod has all labels of a non-empty `selector`."""
        return bool(selector) and all(self.labels.get(key) == value for key, value in selector.items())


def parse_pod(raw: Json, kind: str) -> Pod:
    """Return the record of a pod."""
    status = status_of(raw)
    meta = parse_meta(raw, kind)
    conditions = parse_conditions(status.get("conditions"))
    ready, startable = find(conditions, "Ready"), find(conditions, "PodReadyToStartContainers")
    is_ready = ready is not None and ready.is_true and not meta.deleting
    node, has_ended = intern(spec_of(raw).get("nodeName") or ""), status.get("phase") in _ENDED
    return Pod(
        meta=meta,
        labels={
            intern(key): intern(value) for key, value in islice((raw.get("metadata", {}).get("labels") or {}).items(), _MOST_LABELS)
        },
        node=node,
        ready=is_ready,
        problem=None if is_ready else next(_problems(status), None),
        has_ended=has_ended,
        is_waiting_for_volumes=bool(node)
        and startable is not None
        and not startable.is_true
        and not has_ended
        and not meta.deleting,
        created=intern((raw.get("metadata") or {}).get("creationTimestamp") or ""),
        address=str(status.get("podIP") or "")[:_LONGEST_ADDRESS] if is_ready else "",
        restarts=sum(entry.get("restartCount") or 0 for entry in status.get("containerStatuses") or ()),
    )


def without_volumes(pod: Pod) -> Pod:
    """Return a pod that has been waiting for its volumes for long, with the command that shows why."""
    events = f"kubectl events -n {pod.meta.ref.namespace} --for pod/{pod.meta.ref.name}"
    message = f"its volumes cannot be mounted, or its network is not ready, for over a minute; the kubelet says why: {events}"
    return replace(pod, problem=pod.problem or PodProblem.of(VOLUMES_NOT_MOUNTED, message))


def failing(pods: Iterable[Pod]) -> Iterator[Pod]:
    """Yield the pods with a problem, the newest first; those that have ended only if all have."""
    known = list(pods)
    living = [pod for pod in known if not pod.has_ended]
    yield from sorted((pod for pod in living or known if pod.problem is not None), key=_age_of, reverse=True)


def _age_of(pod: Pod) -> str:
    return pod.created


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
    # Between two attempts the container runs for a moment; the reason stays.
    return PodProblem.of("ContainerCrashLoopBackOff" if backing_off or restarts else "ContainerFailed", message)
