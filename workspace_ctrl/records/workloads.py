"""Deployments, StatefulSets, Services and pods."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workspace_ctrl.api.conditions import find, parse_conditions
from workspace_ctrl.records.meta import Conditioned, Json, Meta, conditions_of, parse_meta, spec_of, status_of


@dataclass(frozen=True, slots=True)
class Workload(Conditioned):
    """A Deployment or StatefulSet."""

    observed_generation: int = 0
    replicas: int = 1
    updated_replicas: int = 0
    ready_replicas: int = 0

    @property
    def is_current(self) -> bool:
        """Whether its controller has seen the newest spec."""
        return self.observed_generation >= self.meta.generation

    @property
    def is_ready(self) -> bool:
        """Whether all wanted replicas of the newest spec are ready, and at least one is wanted."""
        return self.is_current and 0 < self.replicas <= min(self.ready_replicas, self.updated_replicas)


def parse_workload(raw: Json, kind: str) -> Workload:
    """Return the record of a Deployment or StatefulSet."""
    status = status_of(raw)
    replicas = spec_of(raw).get("replicas")
    return Workload(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=status.get("observedGeneration") or 0,
        replicas=1 if replicas is None else replicas,
        updated_replicas=status.get("updatedReplicas") or 0,
        ready_replicas=status.get("readyReplicas") or 0,
    )


@dataclass(frozen=True, slots=True)
class Service:
    """A Service; only its being there matters."""

    meta: Meta


def parse_service(raw: Json, kind: str) -> Service:
    """Return the record of a Service."""
    return Service(meta=parse_meta(raw, kind))


@dataclass(frozen=True, slots=True)
class Pod:
    """A model-server pod, and why it is not ready."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)
    node: str = ""
    ready: bool = False
    unschedulable: str = ""
    """The scheduler's words, while it finds no node."""
    trouble: str = ""
    """Reason of a container that waits or failed, such as "ImagePullBackOff: ..."; empty while all goes well."""

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Whether the pod has all labels of a non-empty `selector`."""
        return bool(selector) and all(self.labels.get(key) == value for key, value in selector.items())


_HARMLESS_WAITING = frozenset({"ContainerCreating", "PodInitializing"})


def parse_pod(raw: Json, kind: str) -> Pod:
    """Return the record of a pod."""
    status = status_of(raw)
    conditions = parse_conditions(status.get("conditions"))
    ready = find(conditions, "Ready")
    scheduled = find(conditions, "PodScheduled")
    meta = parse_meta(raw, kind)
    return Pod(
        meta=meta,
        labels=dict(raw.get("metadata", {}).get("labels") or {}),
        node=spec_of(raw).get("nodeName") or "",
        ready=ready is not None and ready.is_true and not meta.deleting,
        unschedulable=scheduled.message if scheduled is not None and scheduled.reason == "Unschedulable" else "",
        trouble=_trouble(status),
    )


def _trouble(status: Json) -> str:
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for entry in entries:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason and reason not in _HARMLESS_WAITING:
            return f"{reason}: {waiting.get('message') or _last_exit(entry)}".rstrip(": ")
    return ""


def _last_exit(entry: Json) -> str:
    ended = (entry.get("lastState") or {}).get("terminated") or {}
    return f"{ended.get('reason', 'exited')} with exit code {ended.get('exitCode')}" if ended else ""
