"""Workspaces and InferenceSets that have a number in every integer field of their CRD, to try how one is written there."""

import copy
from collections.abc import Iterator
from typing import Any

from workspace_ctrl.api.crd import crd
from workspace_ctrl.api.labels import KIND, SET_KIND

Json = dict[str, Any]
Path = tuple[str | int, ...]

_SELECTOR: Json = {"labelSelector": {"matchLabels": {"apps": "phi"}}}
PARTITION: Json = {"mode": "mig", "profile": "1g.10gb", "count": 1}
SIZE: Json = {
    "weights": "14.2Gi",
    "kvBytesPerToken": 131072,
    "contextLimit": 32768,
    "layers": 32,
    "attentionHeads": 32,
    "kvHeads": 8,
    "headDim": 128,
}
_PRESET: Json = {"preset": {"name": "org/model", "size": SIZE}}
_NODES: Json = {"instanceType": "Standard_NC24ads_A100_v4", "partition": PARTITION}
_GATEWAY: Json = {
    "group": {"name": "chat", "weight": 2},
    "probe": {"path": "/health", "codes": [200, 204]},
    "endpointPicker": {"replicas": 2},
    "objectives": [{"name": "batch", "priority": -1}],
}
_CANARY: Json = {"group": {"name": "chat", "canary": {"steps": [10, 100]}}}
_TEMPLATE: Json = {"template": {"resource": _NODES, "inference": _PRESET}}
_SCALING: Json = {"minReplicas": 1, "maxReplicas": 3, "target": {"metric": "runningRequests", "value": 8}}
_STRATEGY: Json = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "partition": 0}}

_DOCUMENTS: tuple[tuple[str, Json], ...] = (
    (KIND, {"resource": {**_SELECTOR, **_NODES, "count": 2}, "inference": _PRESET, "gateway": _GATEWAY}),
    (KIND, {"resource": {**_SELECTOR, **_NODES}, "inference": _PRESET, "gateway": _CANARY}),
    (KIND, {"inference": {"workloadRef": {"kind": "Deployment", "name": "llama", "targetPort": 8080}}}),
    (SET_KIND, {"spec": {**_SELECTOR, **_TEMPLATE, "replicas": 2, "updateStrategy": _STRATEGY, "gateway": _GATEWAY}}),
    (SET_KIND, {"spec": {**_SELECTOR, **_TEMPLATE, "nodeCountLimit": 4, "autoscaling": _SCALING, "gateway": _CANARY}}),
)

NEVER_SET = {"InferenceSet spec.template.inference.workloadRef.targetPort"}
"""Fields that no valid object has: a template cannot refer to a workload."""


def whole_numbers() -> Iterator[tuple[str, str, Json]]:
    """Yield each integer field once, as kind and path, with its kind and a valid object that has a whole number with a point there."""
    seen = set()
    for kind, document in _DOCUMENTS:
        for path, number in _numbers(document):
            name = f"{kind} {_spelled(path)}"
            if name not in seen:
                seen.add(name)
                changed = copy.deepcopy(document)
                parent: Any = changed
                for key in path[:-1]:
                    parent = parent[key]
                parent[path[-1]] = float(number)
                yield name, kind, changed


def fields_of_the_crds() -> set[str]:
    """Return the integer fields of both CRDs, without those of statuses; lists have no index."""
    return {
        f"{kind} {path}"
        for kind in (KIND, SET_KIND)
        for version in crd(kind)["spec"]["versions"]
        for path in _integers(version["schema"]["openAPIV3Schema"], "")
        if not path.startswith("status.")
    }


def _spelled(path: Path) -> str:
    return ".".join(key for key in path if isinstance(key, str))


def _numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, int]]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield path, value
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in entries:
        yield from _numbers(child, (*path, key))


def _integers(schema: Json, path: str) -> Iterator[str]:
    if schema.get("type") == "integer" or schema.get("x-kubernetes-int-or-string"):
        yield path
    for name, child in (schema.get("properties") or {}).items():
        yield from _integers(child, f"{path}.{name}" if path else name)
    if isinstance(schema.get("items"), dict):
        yield from _integers(schema["items"], path)
