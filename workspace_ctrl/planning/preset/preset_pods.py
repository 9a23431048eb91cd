"""The pods of a preset: vLLM on one node, or on several."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.inference_spec import Adapter, Inference, WeightsVolume
from workspace_ctrl.api.labels import COPY_LABEL, INFERENCE_PORT, POD_INDEX_LABEL, POD_LABEL, SET_LABEL
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.planning.preset.gpu_sizing import Sizing
from workspace_ctrl.planning.preset.installed_environment import CertificateBundle, mounts_of, variables_of, volumes_of
from workspace_ctrl.planning.preset.vllm_command import ADAPTERS, LEADER_ANSWERS, WEIGHTS, MultiNodeMode, serve_command
from workspace_ctrl.planning.preset.vllm_config import EngineConfig
from workspace_ctrl.planning.workload.node_affinity import TOLERATIONS, node_affinity
from workspace_ctrl.records.meta import ObjectRef

_STARTUP_SECONDS = 3600
_STARTUP_SECONDS_PER_GIB = 30
"""Allows for a slow registry or disk, about 35 MB/s."""
_WEIGHTS_NAME: Final = "weights"
_LOCAL_NAME: Final = "local-weights"
_LEAST_DRAINED: Final = 300
"""Also where the timeout is shorter, so that an edit of it seldom changes the pods."""
_MOST_DRAINED: Final = 3600
"""Also where there is no timeout: a node cannot be drained as long as the pod runs."""
_UNSEEN_SECONDS: Final = 5
"""Until Gateways and endpoint pickers know that the pod is ending."""
_SPARE_SECONDS: Final = 25
"""For the end of vLLM itself, after the hook."""
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DRAIN: Final = f"""\
sleep {_UNSEEN_SECONDS}
while curl --silent --max-time 4 http://%s:{INFERENCE_PORT}/metrics |
    grep -E '^vllm:num_requests_(running|waiting)[{{ ]' | grep -qv ' 0\\(\\.0\\)\\?$'
do
    sleep 1
done
"""
"""Ends at once where the metrics cannot be read."""


@dataclass(frozen=True, slots=True)
class PresetServer:
    """A validated preset with its size."""

    owner: ObjectRef
    names: Names
    resource: Resource
    inference: Inference
    model: PresetModel
    sizing: Sizing
    config: EngineConfig
    image: str
    """Image of the model server."""
    aliases: tuple[str, ...] = ()
    """Further model names that it is served under."""
    timeout: str = ""
    """Request timeout of the route, a duration of the Gateway API; empty for the Gateway's default."""
    local_weights: str = ""
    """Directory of the nodes with the model; empty if its weights are downloaded."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """Requests and limits of the container."""
    priority_class: str = ""
    """PriorityClass of the pods; empty for the cluster's default."""
    env: tuple[tuple[str, str], ...] = ()
    """Further environment variables, with their values."""
    ca_bundle: CertificateBundle | None = None
    """Certificates of authorities that it trusts; None for those of the image."""
    multi_node: MultiNodeMode | None = None
    """How its pods become one model server; None for one node."""
    copies: Copies | None = None
    """How an InferenceSet copies it; None for a Workspace."""
    copy: int | None = None
    """Number of the copy, if copies of a model on several nodes are meant; None for all, or the only one."""

    @property
    def workload(self) -> str:
        """Name of the Deployment or StatefulSet."""
        return self.names.workload if self.copy is None else copy_name(self.names, self.copy)

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which the workload selects its pods."""
        copy = {COPY_LABEL: str(self.copy)} if self.copy is not None else {}
        return {POD_LABEL: self.names.workspace, **copy}

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the pods."""
        return self.selector | set_labels(self.names, self.copies)

    @property
    def adapters(self) -> Sequence[Adapter]:
        """The LoRA adapters."""
        return self.inference.adapters or ()

    @property
    def is_multi_node(self) -> bool:
        """Whether one replica of the model needs several pods."""
        return self.multi_node is not None


def copy_name(names: Names, number: int) -> str:
    """Return the name of the StatefulSet of a copy of a model on several nodes."""
    return f"{names.workload}-{number}"


def set_labels(names: Names, copies: Copies | None) -> dict[str, str]:
    """Return the label of KAITO on pods of an InferenceSet; none for a Workspace."""
    return {SET_LABEL: names.workspace} if copies is not None else {}


def pod_spec(server: PresetServer) -> dict[str, Any]:
    """Return the spec of each pod."""
    spec: dict[str, Any] = {
        "containers": [_container(server)],
        "volumes": list(_volumes(server)),
        "affinity": {"nodeAffinity": node_affinity(server.resource)},
        "tolerations": list(TOLERATIONS),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }
    if not server.is_multi_node or server.copies is not None:  # the workers of a Workspace's leader end with it
        spec["terminationGracePeriodSeconds"] = grace_seconds(server.timeout)
    if server.priority_class:
        spec["priorityClassName"] = server.priority_class
    if server.copies is not None and not server.is_multi_node:
        spec["topologySpreadConstraints"] = spread(server.selector)
    secrets = _pull_secrets(server)
    return spec | ({"imagePullSecrets": [{"name": name} for name in secrets]} if secrets else {})


def spread(selector: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return how the copies of an InferenceSet are spread over nodes and zones, as far as there is room.

    It does not depend on their number, since a change of it would start all of them anew.
    """
    return [
        {
            "topologyKey": key,
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def grace_seconds(timeout: str) -> int:
    """Return the grace period of a pod behind a route with that request timeout, a duration of the Gateway API; empty for the default."""
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)(ms|h|m|s)", timeout))
    longest = _MOST_DRAINED if timeout[:1].isdigit() and not seconds else min(max(int(seconds), _LEAST_DRAINED), _MOST_DRAINED)
    return _UNSEEN_SECONDS + longest + _SPARE_SECONDS


def drain_hook(server: str = "localhost") -> dict[str, Any]:
    """Return the `lifecycle` of a container with vLLM: running requests are finished before it gets SIGTERM.

    `server` is the host name of the vLLM that has them: for a copy on several nodes, all of whose pods are needed, that of the leader.

    A pod that is deleted gets no new requests once the endpoint picker has seen that, but vLLM aborts the running ones when it gets
    SIGTERM. So the pod first waits until vLLM has no request any more, at most for its grace period.
    """
    return {"preStop": {"exec": {"command": ["/bin/sh", "-c", _DRAIN % server]}}}


def claim_spec(volume: WeightsVolume, model: PresetModel) -> dict[str, Any]:
    """Return the spec of a PersistentVolumeClaim for the weights: the user's size, else the size of the weights plus a fifth."""
    size = volume.size or f"{int(model.weights_gib * 1.2) + 1}Gi"
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return spec | ({"storageClassName": volume.storage_class_name} if volume.storage_class_name is not None else {})


def _container(server: PresetServer) -> dict[str, Any]:
    adapters = [adapter.source.name for adapter in server.adapters]
    return {
        "name": "vllm",
        "image": server.image,
        "command": serve_command(
            server.model, server.sizing, server.config, adapters, server.multi_node, server.local_weights, server.aliases
        ),
        "ports": [{"name": "http", "containerPort": INFERENCE_PORT, "protocol": "TCP"}, *_first_port_between_pods(server)],
        "env": list(_environment(server)),
        "resources": dict(server.resources),
        **_probes(server),
        **_lifecycle(server),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "dshm", "mountPath": "/dev/shm"},  # noqa: S108 - shared memory between vLLM's processes
            {"name": _WEIGHTS_NAME, "mountPath": WEIGHTS},
            *_local_mounts(server.local_weights),
            *_adapter_mounts(server.adapters),
            *mounts_of(server.ca_bundle),
        ],
    }


def _lifecycle(server: PresetServer) -> dict[str, Any]:
    """Return the hook that drains a pod; the pods of a Workspace on several nodes have none."""
    if not server.is_multi_node:
        return {"lifecycle": drain_hook()}
    return {"lifecycle": drain_hook("$LEADER")} if server.copies is not None else {}


def _first_port_between_pods(server: PresetServer) -> list[dict[str, Any]]:
    """Return the port at which the other pods find the first one."""
    between = server.multi_node.ports.items() if server.multi_node is not None else ()
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in between][:1]


def _environment(server: PresetServer) -> Iterator[dict[str, Any]]:
    yield {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    yield {"name": "HF_HOME", "value": WEIGHTS}
    options = server.inference.preset.preset_options if server.inference.preset else None
    if options is not None and options.model_access_secret:
        secret = {"name": options.model_access_secret, "key": "HF_TOKEN"}
        yield {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": secret}}
    if server.is_multi_node:
        leader = f"{server.workload}-0.{server.names.headless_service}.{server.owner.namespace}.svc"
        yield {"name": "LEADER", "value": leader}
        yield {"name": "POD_INDEX", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{POD_INDEX_LABEL}']"}}}
        yield {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    yield from variables_of(server.ca_bundle)
    yield from ({"name": name, "value": value} for name, value in server.env)


def _probes(server: PresetServer) -> dict[str, Any]:
    """Return the probes; loading a model takes many minutes, so the others begin only when the startup probe has succeeded."""
    seconds = _STARTUP_SECONDS + int(_STARTUP_SECONDS_PER_GIB * server.model.weights_gib)
    liveness = server.multi_node.liveness if server.multi_node is not None else ()
    query_results, lives = _health(server, LEADER_ANSWERS), _health(server, liveness)
    return {
        "startupProbe": {**query_results, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": seconds // 2},
        "readinessProbe": {**query_results, "periodSeconds": 4, "timeoutSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**lives, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
    }


def _health(server: PresetServer, command: Sequence[str]) -> dict[str, Any]:
    if server.is_multi_node:
        return {"exec": {"command": list(command)}}
    return {"httpGet": {"path": "/health", "port": INFERENCE_PORT}}


def _volumes(server: PresetServer) -> Iterator[dict[str, Any]]:
    yield {"name": "dshm", "emptyDir": {"medium": "Memory"}}
    volume = server.inference.weights_volume
    if volume is None:
        yield {"name": _WEIGHTS_NAME, "emptyDir": {}}
    elif volume.claim_name or not server.is_multi_node:  # otherwise the StatefulSet's template creates a claim for each pod
        name = volume.claim_name or server.names.weights_claim
        yield {"name": _WEIGHTS_NAME, "persistentVolumeClaim": {"claimName": name}}
    if server.local_weights:
        yield {"name": _LOCAL_NAME, "hostPath": {"path": server.local_weights, "type": "Directory"}}
    for index, adapter in enumerate(server.adapters):
        source = adapter.source
        yield {"name": f"adapter-{index}"} | (dict(source.mounted or {}) or {"image": {"reference": source.image}})
    yield from volumes_of(server.ca_bundle)


def _local_mounts(directory: str) -> list[dict[str, Any]]:
    return [{"name": _LOCAL_NAME, "mountPath": directory, "readOnly": True}] if directory else []


def _adapter_mounts(adapters: Sequence[Adapter]) -> Iterator[Mapping[str, Any]]:
    for index, adapter in enumerate(adapters):
        mount = {"name": f"adapter-{index}", "mountPath": f"{ADAPTERS}/{adapter.source.name}", "readOnly": True}
        # KAITO's adapter images have the adapter in their folder /data.
        yield mount if adapter.source.mounted else {**mount, "subPath": "data"}


def _pull_secrets(server: PresetServer) -> list[str]:
    options = server.inference.preset.preset_options if server.inference.preset else None
    names = list((options.image_pull_secrets if options else None) or ())
    for adapter in server.adapters:
        names += adapter.source.image_pull_secrets or ()
    return list(dict.fromkeys(names))
