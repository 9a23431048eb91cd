"""Workspaces to try: valid ones that use every field, hand-picked good and bad ones, and mutations of the valid ones."""

import copy
from collections.abc import Iterator
from typing import Any

from tests.integer_fields import PARTITION, SIZE

Json = dict[str, Any]

SELECTOR: Json = {"labelSelector": {"matchLabels": {"apps": "phi"}}}
PRESET: Json = {"preset": {"name": "phi-4"}}
RESOURCE: Json = {"instanceType": "Standard_NC24ads_A100_v4", **SELECTOR}
DEPLOYMENT: Json = {"kind": "Deployment", "name": "llama"}

VALID: dict[str, Json] = {
    "preset": {
        "resource": {
            "count": 2,
            "instanceType": "Standard_NC24ads_A100_v4",
            "labelSelector": {
                "matchLabels": {"apps": "phi"},
                "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "gpu", "operator": "Exists"}],
            },
            "preferredNodes": ["node-1", "node-2"],
            "partition": PARTITION,
        },
        "inference": {
            "preset": {
                "name": "org/model",
                "accessMode": "public",
                "presetOptions": {"image": "ignored", "imagePullSecrets": ["pull"], "modelAccessSecret": "hf"},
                "size": SIZE,
            },
            "config": "my-config",
            "adapters": [
                {"source": {"name": "one", "image": "registry/one:1", "imagePullSecrets": ["pull"]}},
                {"source": {"name": "two", "volumeSource": {"persistentVolumeClaim": {"claimName": "two"}}}, "strength": "0.5"},
                {"source": {"name": "three", "urls": ["https://example.com/three"]}},
                {"source": {"name": "four", "volume": {"persistentVolumeClaim": {"claimName": "four"}}}, "strength": "1.0"},
            ],
            "weightsVolume": {"storageClassName": "fast", "size": "100Gi"},
            "resources": {"requests": {"cpu": 4, "memory": "16Gi"}, "limits": {"ephemeral-storage": "50Gi"}},
        },
        "gateway": {
            "enabled": True,
            "parentRefs": [{"name": "door", "namespace": "gateways", "sectionName": "https"}],
            "hostnames": ["models.example.com", "*.example.org"],
            "match": {"path": "/team-a/phi", "header": True, "catchAll": False},
            "modelName": "org/model:v1",
            "timeout": "10m",
            "pool": {"ref": {"name": "my-pool"}},
            "objectives": [{"name": "interactive", "priority": 10}, {"name": "batch", "priority": -1}],
        },
    },
    "named-route": {"resource": SELECTOR, "inference": PRESET, "gateway": {"httpRouteRef": {"name": "my-route"}}},
    "claim": {"resource": SELECTOR, "inference": {**PRESET, "weightsVolume": {"claimName": "weights"}}},
    "template": {
        "resource": {**SELECTOR, "count": 3, "partition": {"mode": "accelerator", "count": 2}},
        "inference": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "anything": 1}]}}},
        "gateway": {"enabled": False},
    },
    "reference": {
        "inference": {
            "workloadRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "llama",
                "selector": {"app": "llama"},
                "targetPort": 8080,
            }
        }
    },
    "pods": {"inference": {"workloadRef": {"selector": {"app": "llama"}, "targetPort": 8080}}},
    "tuning": {
        "resource": SELECTOR,
        "tuning": {
            "preset": {"name": "phi-4"},
            "method": "lora",
            "config": "c",
            "input": {"urls": ["x"]},
            "output": {"image": "y"},
        },
    },
}


def _inference(**fields: Any) -> Json:
    return {"resource": RESOURCE, "inference": {**PRESET, **fields}}


def _reference(**fields: Any) -> Json:
    return {"inference": {"workloadRef": fields}}


def _size(**fields: Any) -> Json:
    return {"resource": RESOURCE, "inference": {"preset": {"name": "org/model", "size": {"weights": "1Gi", **fields}}}}


def _gateway(**fields: Any) -> Json:
    return {"resource": RESOURCE, "inference": PRESET, "gateway": fields}


GOOD: dict[str, Json] = {
    **VALID,
    "root-path": _gateway(match={"path": "/"}),
    "two-gateways": _gateway(parentRefs=[{"name": "a"}, {"name": "b"}]),
    "no-limit": _gateway(timeout="0s"),
    "no-timeout": _gateway(timeout="none"),
    "null-timeout": _gateway(timeout=None),
    "most-objectives": _gateway(objectives=[{"name": f"n{n}", "priority": n} for n in range(16)]),
    "most-important": _gateway(objectives=[{"name": "a", "priority": 2**31 - 1}, {"name": "b", "priority": 1 - 2**31}]),
    "empty-selector": {"resource": {"labelSelector": {}}, "inference": PRESET},
    "most-adapters": _inference(adapters=[{"source": {"name": f"a{n}"}} for n in range(10)]),
    "dotted-adapter": _inference(adapters=[{"source": {"name": "a.b-c"}}]),
    "one-port": _reference(**DEPLOYMENT, targetPort=1),
    "highest-port": _reference(**DEPLOYMENT, targetPort=65535),
    "unknown-fields": {"resource": {**RESOURCE, "nodeClass": "a100"}, "inference": PRESET, "unknown": 1},
    "longest-preset-name": {"resource": RESOURCE, "inference": {"preset": {"name": "p" * 256}}},
    "umlauts-count-once": {"resource": RESOURCE, "inference": {"preset": {"name": "ä" * 256}}},
    "reference-with-resource": {"resource": RESOURCE, **_reference(**DEPLOYMENT)},
    "whole-number-with-point": {"resource": {**RESOURCE, "count": 3.0}, "inference": PRESET},
    "empty-volume": _inference(weightsVolume={}),
    "megabytes": _size(weights="1.5M"),
}
"""Accepted."""

_ONE_SOURCE = "inference needs exactly one of preset, template and workloadRef; set one, and remove the others"
_ONE_TASK = "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning"
_PODS = "inference.workloadRef selects no pods; set kind and name of an object, or selector and targetPort"
_NO_WORKLOADS = (
    "inference.workloadRef.apiVersion has no workloads; reference an object that has pods, "
    "or set selector and targetPort without a kind"
)
_KIND_AND_NAME = "inference.workloadRef needs kind and name together; add the one that is missing"
_CLAIM = "inference.weightsVolume allows either claimName, or storageClassName and size; remove the other"
_ADAPTERS = "inference.adapters need unique names; rename the duplicates"
_VOLUME = "inference.weightsVolume needs a preset; remove it, or mount a volume in the template"
_RESOURCES = "inference.resources needs a preset; remove it, or set the resources of the containers in the template"
_RESOURCE = "resource is required; select the nodes with resource.labelSelector"

_ROUTE = "gateway.httpRouteRef cannot be combined with parentRefs, hostnames, match and timeout; remove those"
_CANARY = "gateway.group.canary decides the share of the requests itself; remove weight and fallback"
_INTERVAL = "gateway.group.canary.interval must be from 5s to 24h; set one such as 5m"
_OBJECTIVES = "gateway.objectives need unique names; rename the duplicates"

AGAINST_RULES: dict[str, tuple[Json, str]] = {
    "fallback-with-weight": (
        _gateway(group={"name": "chat", "weight": 1, "fallback": True}),
        "gateway.group cannot have a weight with fallback: true; remove one of them",
    ),
    "canary-with-weight": (_gateway(group={"name": "chat", "weight": 1, "canary": {}}), _CANARY),
    "canary-as-fallback": (_gateway(group={"name": "chat", "fallback": True, "canary": {}}), _CANARY),
    "canary-steps-fall": (
        _gateway(group={"name": "chat", "canary": {"steps": [50, 10]}}),
        "gateway.group.canary.steps must rise; set percentages such as [10, 25, 50, 100]",
    ),
    "canary-interval": (_gateway(group={"name": "chat", "canary": {"interval": "25h"}}), _INTERVAL),
    "canary-interval-short": (_gateway(group={"name": "chat", "canary": {"interval": "4999ms"}}), _INTERVAL),
    "route-and-gateway": (_gateway(httpRouteRef={"name": "r"}, parentRefs=[{"name": "g"}]), _ROUTE),
    "route-and-match": (_gateway(httpRouteRef={"name": "r"}, match={"header": True}), _ROUTE),
    "route-and-timeout": (_gateway(httpRouteRef={"name": "r"}, timeout="1s"), _ROUTE),
    "nothing": ({"resource": RESOURCE}, _ONE_TASK),
    "both-tasks": ({"resource": RESOURCE, "inference": PRESET, "tuning": {}}, _ONE_TASK),
    "preset-and-template": (_inference(template={}), _ONE_SOURCE),
    "preset-and-reference": (_inference(workloadRef=DEPLOYMENT), _ONE_SOURCE),
    "template-and-reference": ({"resource": RESOURCE, "inference": {"template": {}, "workloadRef": DEPLOYMENT}}, _ONE_SOURCE),
    "no-source": ({"resource": RESOURCE, "inference": {}}, _ONE_SOURCE),
    "no-resource": ({"inference": PRESET}, _RESOURCE),
    "tuning-without-resource": ({"tuning": {}}, _RESOURCE),
    "template-without-resource": ({"inference": {"template": {}}}, _RESOURCE),
    "same-adapters": (_inference(adapters=[{"source": {"name": "a"}}, {"source": {"name": "a"}}]), _ADAPTERS),
    "same-objectives": (_gateway(objectives=[{"name": "a", "priority": 1}, {"name": "a", "priority": 2}]), _OBJECTIVES),
    "volume-of-template": ({"resource": RESOURCE, "inference": {"template": {}, "weightsVolume": {"claimName": "w"}}}, _VOLUME),
    "resources-of-template": ({"resource": RESOURCE, "inference": {"template": {}, "resources": {}}}, _RESOURCES),
    "claim-and-class": (_inference(weightsVolume={"claimName": "a", "storageClassName": "b"}), _CLAIM),
    "claim-and-size": (_inference(weightsVolume={"claimName": "a", "size": "1Gi"}), _CLAIM),
    "kind-alone": (_reference(kind="Deployment"), _KIND_AND_NAME),
    "name-alone": (_reference(name="llama", selector={"a": "b"}, targetPort=1), _KIND_AND_NAME),
    "empty-reference": (_reference(), _PODS),
    "selector-alone": (_reference(selector={"a": "b"}), _PODS),
    "port-alone": (_reference(targetPort=80), _PODS),
    "empty-pod-selector": (_reference(selector={}, targetPort=80), _PODS),
    "secret-as-workload": (_reference(apiVersion="v1", kind="Secret", name="login"), _NO_WORKLOADS),
    "node-as-workload": (_reference(apiVersion="v1", kind="Node", name="a", selector={"a": "b"}, targetPort=80), _NO_WORKLOADS),
    "role-as-workload": (_reference(apiVersion="rbac.authorization.k8s.io/v1", kind="Role", name="a"), _NO_WORKLOADS),
}
"""Refused by a rule, in these words."""

AGAINST_SCHEMA: dict[str, Json] = {
    "eleven-adapters": _inference(adapters=[{"source": {"name": f"a{n}"}} for n in range(11)]),
    "adapter-with-capitals": _inference(adapters=[{"source": {"name": "Adapter"}}]),
    "adapter-with-a-line-break": _inference(adapters=[{"source": {"name": "adapter\n"}}]),
    "adapter-without-source": _inference(adapters=[{"strength": "1"}]),
    "strength-as-number": _inference(adapters=[{"source": {"name": "a"}, "strength": 0.5}]),
    "count-as-text": {"resource": {**RESOURCE, "count": "2"}, "inference": PRESET},
    "count-as-truth": {"resource": {**RESOURCE, "count": True}, "inference": PRESET},
    "half-a-node": {"resource": {**RESOURCE, "count": 1.5}, "inference": PRESET},
    "no-nodes": {"resource": {**RESOURCE, "count": 0}, "inference": PRESET},
    "too-many-nodes": {"resource": {**RESOURCE, "count": 10**20}, "inference": PRESET},
    "no-selector": {"resource": {"count": 1}, "inference": PRESET},
    "label-as-number": {"resource": {"labelSelector": {"matchLabels": {"a": 1}}}, "inference": PRESET},
    "unknown-operator": {
        "resource": {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
        "inference": PRESET,
    },
    "long-preset-name": {"resource": RESOURCE, "inference": {"preset": {"name": "p" * 257}}},
    "unknown-access": {"resource": RESOURCE, "inference": {"preset": {"name": "phi-4", "accessMode": "secret"}}},
    "template-as-list": {"resource": RESOURCE, "inference": {"template": []}},
    "weights-without-unit": _size(weights="15"),
    "weights-with-a-line-break": _size(weights="15Gi\n"),
    "weights-in-kibibytes": _size(weights="15Ki"),
    "no-layers": _size(layers=0),
    "port-zero": _reference(**DEPLOYMENT, targetPort=0),
    "port-too-high": _reference(**DEPLOYMENT, targetPort=65536),
    "enabled-as-text": {"resource": RESOURCE, "inference": PRESET, "gateway": {"enabled": "true"}},
    "enabled-as-number": {"resource": RESOURCE, "inference": PRESET, "gateway": {"enabled": 1}},
    "too-many-gateways": _gateway(parentRefs=[{"name": f"g{n}"} for n in range(9)]),
    "nameless-gateway": _gateway(parentRefs=[{"name": ""}]),
    "too-many-objectives": _gateway(objectives=[{"name": f"n{n}", "priority": n} for n in range(17)]),
    "objective-without-priority": _gateway(objectives=[{"name": "a"}]),
    "objective-with-a-dot": _gateway(objectives=[{"name": "a.b", "priority": 1}]),
    "objective-too-important": _gateway(objectives=[{"name": "a", "priority": 2**31}]),
    "half-an-objective": _gateway(objectives=[{"name": "a", "priority": 0.5}]),
    "relative-path": _gateway(match={"path": "team-a/phi"}),
    "path-with-a-slash-at-its-end": _gateway(match={"path": "/team-a/"}),
    "path-upwards": _gateway(match={"path": "/team-a/../b"}),
    "path-with-a-query": _gateway(match={"path": "/team-a?x=1"}),
    "host-with-port": _gateway(hostnames=["example.com:80"]),
    "host-with-capitals": _gateway(hostnames=["Example.com"]),
    "wildcard-in-the-middle": _gateway(hostnames=["a.*.com"]),
    "timeout-without-unit": _gateway(timeout="300"),
    "timeout-in-days": _gateway(timeout="1d"),
    "model-name-with-a-blank": _gateway(modelName="phi 4"),
    "nameless-pool": _gateway(pool={"ref": {"name": ""}}),
}
"""Refused by the schema."""

_OTHERS: tuple[Any, ...] = (
    None,
    "",
    "Bad Name!",
    "x" * 2000,
    "1",
    "true",
    0,
    -1,
    1,
    1.5,
    2.0,
    10**12,
    True,
    False,
    [],
    ["a"],
    [1],
    {},
    {"a": "b"},
)


def mutations() -> Iterator[tuple[str, Json]]:
    """Yield name and document of everything that one change makes of a valid document.

    A value is dropped, replaced by one that is empty, too long, out of range, of another type or pattern; a list's items are
    doubled or made very many; an object gets an unknown key.
    """
    for title, valid in VALID.items():
        for path in _paths(valid):
            name = f"{title}: {'.'.join(map(str, path))}"
            yield f"{name} dropped", _changed(valid, path, drop=True)
            for other in _OTHERS:
                yield f"{name} = {str(other)[:20]!r}", _changed(valid, path, other)
            value = _at(valid, path)
            if isinstance(value, list):
                yield f"{name} doubled", _changed(valid, path, value * 2)
                yield f"{name} times 100", _changed(valid, path, value * 100)
            if isinstance(value, dict):
                yield f"{name} with an unknown key", _changed(valid, path, {**value, "unknownKey": {"a": [1]}})


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in entries:
        yield from _paths(child, (*path, key))


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _changed(document: Json, path: tuple[str | int, ...], value: Any = None, *, drop: bool = False) -> Json:
    changed = copy.deepcopy(document)
    parent = _at(changed, path[:-1])
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed
