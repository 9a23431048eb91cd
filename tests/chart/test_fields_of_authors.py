"""Every field of a Workspace and of an InferenceSet is decided: an admission policy asks for a right of its author, or it is free, and why.

A new field fails here, until somebody has asked what it lets its author do that he may not do himself (docs/security.md).
"""

import re
from typing import get_args

import pytest
from pydantic import BaseModel

from tests.chart.helm import find, render
from workspace_ctrl.api.inference_set import InferenceSetSpec
from workspace_ctrl.api.labels import USER_ANNOTATIONS
from workspace_ctrl.api.workspace import Workspace

OF_PODS = "what pods are like that run in the namespace anyway, of an image of the installation"
OF_NODES = "which nodes they run on; quotas and taints limit that"
OF_LOGINS = "a Secret of the namespace for the download alone, as a namespace is one trust domain"
OF_THE_MODEL = "what the model needs; quotas limit the GPUs"
OF_COPIES = "how many pods there are; quotas limit them"
OF_OWN_ROUTE = "what becomes of requests that reach the model anyway"
NO_EFFECT = "no effect"
GUARDED = {
    "inference.template": "choosesPods",
    "inference.weightsVolume.claimName": "choosesPods",
    "inference.adapters.source.volumeSource": "choosesPods",
    "inference.adapters.source.volume": "choosesPods",
    **dict.fromkeys(
        (f"inference.workloadRef.{name}" for name in ("apiVersion", "kind", "name", "selector", "targetPort")), "namesPods"
    ),
    **dict.fromkeys((f"gateway.parentRefs.{name}" for name in ("name", "namespace", "sectionName")), "movesRequests"),
    **dict.fromkeys((f"gateway.match.{name}" for name in ("path", "header", "catchAll")), "movesRequests"),
    **dict.fromkeys((f"gateway.group.{name}" for name in ("name", "weight", "fallback")), "movesRequests"),
    **dict.fromkeys(
        (f"gateway.group.canary.{name}" for name in ("steps", "interval", "maxErrorRate", "maxLatencyRatio")), "movesRequests"
    ),
    "gateway.hostnames": "movesRequests",
    "gateway.modelName": "movesRequests",
    "gateway.aliases": "movesRequests",
    "gateway.pool.ref.name": "movesRequests",
    "gateway.httpRouteRef.name": "namesRoute",
    **dict.fromkeys(
        (f"gateway.endpointPicker.valuesFrom.{name}" for name in ("kind", "name", "valuesKey", "optional")), "newValues"
    ),
    "gateway.serviceAccountName": "namesAccount",
}
"""Field → variable of the policy that looks at it."""
FREE = {
    "inference.preset.name": OF_THE_MODEL,
    "inference.preset.accessMode": NO_EFFECT,
    "inference.preset.presetOptions.image": NO_EFFECT,
    "inference.preset.presetOptions.imagePullSecrets": OF_LOGINS,
    "inference.preset.presetOptions.modelAccessSecret": OF_LOGINS,
    **dict.fromkeys(
        (
            f"inference.preset.size.{name}"
            for name in ("weights", "kvBytesPerToken", "contextLimit", "layers", "attentionHeads", "kvHeads", "headDim")
        ),
        OF_THE_MODEL,
    ),
    "inference.config": "flags of the model server, of which those that reach further are rejected",
    "inference.adapters.source.name": OF_THE_MODEL,
    "inference.adapters.source.image": "files of an image, which are not run",
    "inference.adapters.source.imagePullSecrets": OF_LOGINS,
    "inference.adapters.source.urls": NO_EFFECT,
    "inference.adapters.strength": NO_EFFECT,
    "inference.weightsVolume.storageClassName": "a new volume; quotas limit classes",
    "inference.weightsVolume.size": "a new volume; quotas limit the size",
    "inference.resources": OF_PODS,
    "gateway.enabled": "a route whose matches are judged also while it is off",
    "gateway.timeout": OF_OWN_ROUTE,
    "gateway.pool.failureMode": OF_OWN_ROUTE,
    "gateway.probe.path": "a request of the controller below the own URL",
    "gateway.probe.codes": OF_OWN_ROUTE,
    "gateway.endpointPicker.replicas": OF_COPIES,
    "gateway.endpointPicker.resources": OF_PODS,
    "gateway.endpointPicker.values": "values that cannot bring in objects: workspace_ctrl/planning/chart/value_validation.py",
    "gateway.objectives.name": "a name behind that of the Workspace",
    "gateway.objectives.priority": OF_OWN_ROUTE,
    **dict.fromkeys((f"gateway.chart.{name}" for name in ("name", "version", "digest")), "a chart that the installation lists"),
}
FREE_OF_WORKSPACES = {
    "resource.count": NO_EFFECT,
    **dict.fromkeys((f"resource.{name}" for name in ("instanceType", "labelSelector.matchLabels", "preferredNodes")), OF_NODES),
    **dict.fromkeys((f"resource.labelSelector.matchExpressions.{name}" for name in ("key", "operator", "values")), OF_NODES),
    **dict.fromkeys((f"resource.partition.{name}" for name in ("mode", "profile", "count")), OF_NODES),
    **dict.fromkeys((f"tuning.{name}" for name in ("preset", "method", "config", "input", "output")), NO_EFFECT),
}
FREE_OF_SETS = {
    "replicas": OF_COPIES,
    "nodeCountLimit": OF_COPIES,
    **dict.fromkeys((f"autoscaling.{name}" for name in ("minReplicas", "maxReplicas", "idleAfter", "requestsHeldFor")), OF_COPIES),
    **dict.fromkeys((f"autoscaling.target.{name}" for name in ("metric", "value")), OF_COPIES),
    "labelSelector.matchLabels": OF_NODES,
    **dict.fromkeys((f"labelSelector.matchExpressions.{name}" for name in ("key", "operator", "values")), OF_NODES),
    "template.metadata.labels": NO_EFFECT,
    "template.metadata.annotations": "those of the model server; none of those that need a right counts there",
    "template.resource.instanceType": OF_NODES,
    **dict.fromkeys((f"template.resource.partition.{name}" for name in ("mode", "profile", "count")), OF_NODES),
    "updateStrategy.type": NO_EFFECT,
    **dict.fromkeys((f"updateStrategy.rollingUpdate.{name}" for name in ("maxUnavailable", "partition")), OF_COPIES),
    **dict.fromkeys((f"autoUpgrade.{name}" for name in ("enabled", "strategy")), NO_EFFECT),
    **dict.fromkeys((f"autoUpgrade.maintenanceWindow.{name}" for name in ("schedule", "duration")), NO_EFFECT),
}
ANNOTATIONS = {
    "kaito.sh/runtime": NO_EFFECT,
    "kaito.sh/enablelb": "makesLoadBalancer",
    "kaito.sh/bypass-resource-checks": OF_THE_MODEL,
    "kaito.sh/performance-mode": OF_THE_MODEL,
    "kaito.sh/paused": OF_COPIES,
    "workspace-ctrl/adopt": "adopting",
    "workspace-ctrl/canary": "the canary of the own Workspace, whose group needed the right",
    "workspace-ctrl/update-pods": "when the own pods are replaced",
    "workspace-ctrl/gateway": "hasOptions",
}


def models(annotation):
    """The models in the type of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models(inner)]


def fields(model, path=""):
    """The dotted paths of all fields without further fields."""
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        inside = models(field.annotation)
        yield from fields(inside[0], f"{here}.") if inside else [here]


def in_set(path):
    """The path of a Workspace's field in the spec of an InferenceSet."""
    return f"template.{path}" if path.startswith("inference.") else path


def test_every_field_is_decided_once():
    assert sorted(fields(Workspace)) == sorted([*GUARDED, *FREE, *FREE_OF_WORKSPACES])
    assert sorted(fields(InferenceSetSpec)) == sorted([*map(in_set, GUARDED), *map(in_set, FREE), *FREE_OF_SETS])


def test_every_annotation_is_decided():
    assert ANNOTATIONS.keys() == USER_ANNOTATIONS.keys()


def looks_at(expression, path):
    """Whether a policy's expression compares the field of an object, or one that it is a part of, with what it was."""
    parts = path.split(".")
    before = [".?".join(parts[: count + 1]) for count in range(1, len(parts))]
    return any(
        re.search(rf"oldObject\.\??{re.escape(each)}(?![\w.])|oldObject\.\??{re.escape(each)}\.orValue", expression)
        for each in before
    )


@pytest.mark.parametrize("ending", ["workspace-ctrl", "inferenceset-authors"])
def test_what_is_guarded_is_compared_in_the_policy(ending):
    policy = find(render({"flux2": {"enabled": False}}), "ValidatingAdmissionPolicy", ending)
    variables = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    whole = " ".join(each["expression"] for each in policy["spec"]["validations"])
    for path, name in GUARDED.items():
        where = path if ending == "workspace-ctrl" else f"spec.{in_set(path)}"
        assert looks_at(variables[name], where), path
        assert f"variables.{name}" in whole or any(f"variables.{name}" in each for each in variables.values())
    for name in ("makesLoadBalancer", "adopting", "hasOptions"):
        annotation = next(key for key, guard in ANNOTATIONS.items() if guard == name)
        assert f'annotations[?"{annotation}"]' in variables[name]
