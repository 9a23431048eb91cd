"""Deployments and StatefulSets, ours and referenced ones; Services, NetworkPolicies and PersistentVolumeClaims."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeGuard

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.api.labels import MODEL_FIGURES_ANNOTATION, NODE_GPUS_ANNOTATION
from workspace_ctrl.catalog.hub_model import LONGEST_NOTE
from workspace_ctrl.records.chart_inventory import content_checksum
from workspace_ctrl.records.managed_fields import owned_by_others
from workspace_ctrl.records.meta import (
    Conditioned,
    Json,
    Meta,
    bounded,
    conditions_of,
    mapping_of,
    mappings_of,
    parse_meta,
    spec_of,
    status_of,
)

_PORTS: Final = 2**16
_HTTP: Final = "http"
_ASIDE: Final = ("metrics", "health", "management")
"""In the names of ports that answer no requests for the model."""
_STARTING_PROBES: Final = ("readinessProbe", "startupProbe")
"""The probes without whose success a container is not ready."""
_LONGEST_SELECTOR: Final = 4096
"""Labels of a pod selector, in characters; they become part of a URL."""


class WorkloadKind(StrEnum):
    """The kinds of workload that we create."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"


LONGEST_NODE_GPUS: Final = 1024
"""Longest note of the node GPUs for which a model was sized, in characters."""


@dataclass(frozen=True, slots=True)
class Workload(Conditioned):
    """A Deployment or StatefulSet."""

    observed_generation: int = 0
    replicas: int = 1
    existing_replicas: int = 0
    """Pods that exist, ready or not, of any spec."""
    updated_replicas: int = 0
    ready_replicas: int = 0
    scaled_by_others: bool = False
    """Whether another manager, such as an autoscaler, has set the number of replicas."""
    node_gpus: str = ""
    """The node GPUs for which the model was sized, if they came from node labels."""
    model_figures: str = ""
    """The figures of a model that is not in the catalog, for which it was sized."""
    shape: int = 0
    """Checksum of the fields that Flux owns; 0 for objects that do not belong to a chart."""

    @property
    def is_current(self) -> bool:
        """Whether its controller has observed the newest spec."""
        return self.observed_generation >= self.meta.generation

    @property
    def is_ready(self) -> bool:
        """Whether all wanted replicas of the newest spec are ready, and at least one is wanted."""
        return self.is_current and 0 < self.replicas <= min(self.ready_replicas, self.updated_replicas)

    @property
    def serves(self) -> bool:
        """Whether at least one replica is ready, and all are of the newest spec: it is being scaled, or has lost some."""
        return self.replicas <= self.updated_replicas and self.is_rolled_out and min(self.ready_replicas, self.replicas) > 0

    @property
    def is_rolled_out(self) -> bool:
        """Whether all pods that exist are of the newest spec."""
        return self.is_current and not self.has_old_pods

    @property
    def has_old_pods(self) -> bool:
        """Whether some of its pods are of an earlier spec, as its controller has observed it last; being scaled makes none of them old."""
        return self.existing_replicas > self.updated_replicas

    @property
    def is_starting(self) -> bool:
        """Whether it is starting: no replica of the newest spec is ready, and nothing has failed."""
        progressing = self.condition("Progressing")
        is_stuck = self.is_true("ReplicaFailure") or (progressing is not None and progressing.status == Status.FALSE)
        return self.replicas > 0 and not self.has_leader and not is_stuck and self.meta.is_usable

    @property
    def has_leader(self) -> bool:
        """Whether all replicas are of the newest spec and at least one is ready: of several endpoint pickers, only the leader is ready."""
        return self.is_current and 0 < self.replicas <= self.updated_replicas and self.ready_replicas > 0


def parse_workload(raw: Json, kind: str) -> Workload:
    """Return the record of a Deployment or StatefulSet."""
    status, annotations = status_of(raw), (raw.get("metadata") or {}).get("annotations") or {}
    return Workload(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=_number(status.get("observedGeneration")),
        replicas=_number(spec_of(raw).get("replicas"), 1),
        existing_replicas=_number(status.get("replicas")),
        updated_replicas=_number(status.get("updatedReplicas")),
        ready_replicas=_number(status.get("readyReplicas")),
        scaled_by_others=owned_by_others(raw.get("metadata") or {}, "spec", "replicas"),
        shape=content_checksum(raw.get("metadata") or {}),
        node_gpus=bounded(annotations.get(NODE_GPUS_ANNOTATION, ""), LONGEST_NODE_GPUS),
        model_figures=bounded(annotations.get(MODEL_FIGURES_ANNOTATION, ""), LONGEST_NOTE),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """A Service; only its existence matters."""

    meta: Meta


def parse_service(raw: Json, kind: str) -> Service:
    """Return the record of a Service."""
    return Service(meta=parse_meta(raw, kind))


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """The NetworkPolicy of a model on several nodes; only its existence matters."""

    meta: Meta


def parse_network_policy(raw: Json, kind: str) -> NetworkPolicy:
    """Return the record of a NetworkPolicy."""
    return NetworkPolicy(meta=parse_meta(raw, kind))


@dataclass(frozen=True, slots=True)
class PersistentVolumeClaim:
    """A PersistentVolumeClaim for the weights; only its existence matters."""

    meta: Meta


def parse_persistent_volume_claim(raw: Json, kind: str) -> PersistentVolumeClaim:
    """Return the record of a PersistentVolumeClaim."""
    return PersistentVolumeClaim(meta=parse_meta(raw, kind))


@dataclass(frozen=True, slots=True)
class ServingPort:
    """The container port of a pod template on which its model server is expected to answer requests."""

    number: int | None = None
    """None if the template has no TCP port."""
    container: str = ""
    """Name of its container; without a port, of the first one."""
    is_ambiguous: bool = False
    """Whether another port could be meant: there are several, and none is named http."""
    has_probe: bool = True
    """Whether its container is ready only after a probe has succeeded; of a proxy, whether one of the pod's containers is."""


@dataclass(frozen=True, slots=True)
class ReferencedWorkload:
    """A referenced workload: of any kind with a pod template or a scale subresource."""

    workload: Workload
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of its pods; empty if the object does not contain them."""
    port: ServingPort = field(default_factory=ServingPort)
    """On which it is expected to answer requests, as far as it has a pod template."""

    @property
    def meta(self) -> Meta:
        """Metadata of the object."""
        return self.workload.meta


def parse_referenced_workload(raw: Json, kind: str) -> ReferencedWorkload:
    """Return the record of a referenced workload."""
    spec = spec_of(raw)
    template = mapping_of(spec.get("template"))
    return ReferencedWorkload(
        workload=parse_workload(raw, kind), selector=_selector(spec.get("selector"), template), port=serving_port(template)
    )


def _selector(selector: object, template: Json) -> dict[str, str]:
    """Return labels that select the pods: those of the selector, or if it is more than labels, those of the pod template."""
    if mapping_of(selector).get("matchExpressions"):
        return _labels(mapping_of(template.get("metadata")).get("labels"))
    return _labels(mapping_of(selector).get("matchLabels"))


def _labels(value: object) -> dict[str, str]:
    """Return the labels in `value`.

    Raises:
        ValueError: they are too long for the URL of a request.
    """
    labels = {key: label for key, label in mapping_of(value).items() if isinstance(label, str)}
    if sum(len(key) + len(label) for key, label in labels.items()) > _LONGEST_SELECTOR:
        raise ValueError("its selector is too long")
    return labels


def serving_port(template: Json) -> ServingPort:
    """Return the port of a pod template on which its model server is expected to answer requests.

    It is the one named http. Without that, it is the first one of a native sidecar (an init container that keeps running) that has no name,
    else one of a container with devices such as GPUs, else one for which a readiness or startup probe asks, else the first one of a
    container: a sidecar can have a probe where the model server has none. Ports named for metrics, health or management count only if there
    are no others.

    So llm-d's proxy, which is a native sidecar, gets the requests. Source, with a port without a name and without a probe:
    https://github.com/llm-d-incubation/llm-d-modelservice/blob/main/charts/llm-d-modelservice/templates/_helpers.tpl
    """
    spec = mapping_of(template.get("spec"))
    containers = mappings_of(spec.get("containers"))
    sidecars = [entry for entry in mappings_of(spec.get("initContainers")) if entry.get("restartPolicy") == "Always"]
    every = [*_ports(sidecars, of_sidecars=True), *_ports(containers)]
    found = [port for port in every if not any(word in port.name for word in _ASIDE)] or every
    if not found:
        return ServingPort(
            container=_name(next(iter(containers), {})), has_probe=not containers or any(map(_has_probe, containers))
        )
    best = min(found, key=_rank)
    return ServingPort(
        number=best.number,
        container=_name(best.container),
        is_ambiguous=best.name != _HTTP and len({port.number for port in found}) > 1,
        has_probe=any(map(_has_probe, (best.container, *(containers if best.of_sidecar else ())))),
    )


@dataclass(frozen=True, slots=True)
class _Port:
    container: Json
    name: str
    number: int
    of_sidecar: bool


def _ports(containers: Iterable[Json], *, of_sidecars: bool = False) -> list[_Port]:
    """Return each valid TCP port."""
    return [
        _Port(container, _name(port), number, of_sidecars)
        for container in containers
        for port in mappings_of(container.get("ports"))
        if (port.get("protocol") or "TCP") == "TCP" and is_port(number := port.get("containerPort"))
    ]


def is_port(number: object) -> TypeGuard[int]:
    """Whether `number` is a port number."""
    return type(number) is int and 0 < number < _PORTS


def _rank(port: _Port) -> tuple[bool, ...]:
    """Return in which order ports are tried: those with the lowest rank first."""
    is_proxy = port.of_sidecar and port.name in {_HTTP, ""}
    return (port.name != _HTTP, not is_proxy, port.of_sidecar, not _has_devices(port.container), not _is_probed(port))


def _is_probed(port: _Port) -> bool:
    """Whether a readiness or startup probe of its container asks the port, by its number or name."""
    probes = [mapping_of(port.container.get(kind)) for kind in _STARTING_PROBES]
    asked = [mapping_of(probe.get(how)).get("port") for probe in probes for how in ("httpGet", "tcpSocket", "grpc")]
    return port.number in asked or (port.name != "" and port.name in asked)


def _has_probe(container: Json) -> bool:
    return any(mapping_of(container.get(kind)) for kind in _STARTING_PROBES)


def _has_devices(container: Json) -> bool:
    """Whether a container asks for devices: extended resources, whose names have a domain, or claims."""
    resources = mapping_of(container.get("resources"))
    names = [str(name) for kind in ("requests", "limits") for name in mapping_of(resources.get(kind))]
    return bool(resources.get("claims")) or any("/" in name for name in names)


def _name(value: Json) -> str:
    name = value.get("name")
    return name if isinstance(name, str) else ""


def _number(value: object, otherwise: int = 0) -> int:
    """Return a number of an object with an unknown schema."""
    return value if type(value) is int else otherwise
