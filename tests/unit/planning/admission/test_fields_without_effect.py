"""Whatever an author writes under `gateway` changes what is created or decided, or he is told that it does not."""

import copy
from dataclasses import replace

import pytest

from tests.unit.factories import NAMESPACE, SETTINGS, derived, quickstart
from workspace_ctrl.api.api_model import ApiModel
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.admission.fields_without_effect import gateway_without_effect
from workspace_ctrl.planning.plan_settings import Mode

POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
VALUES = {
    "enabled": False,
    "parentRefs": [{"name": "edge", "sectionName": "https"}],
    "hostnames": ["a.example"],
    "match.path": f"/{NAMESPACE}/x",
    "match.header": True,
    "match.catchAll": True,
    "modelName": "other",
    "aliases": ["alias"],
    "timeout": "33s",
    "httpRouteRef.name": "theirs",
    "group.name": "chat",
    "group.weight": 3,
    "group.fallback": True,
    "group.canary.steps": [10, 100],
    "group.canary.interval": "7m",
    "group.canary.maxErrorRate": "7%",
    "group.canary.maxLatencyRatio": 3.5,
    "pool.ref.name": "theirs",
    "pool.failureMode": "FailClose",
    "probe.path": "/health",
    "probe.codes": [200, 204],
    "endpointPicker.replicas": 2,
    "endpointPicker.resources": {"requests": {"cpu": "1"}},
    "endpointPicker.values": {"inferenceExtension": {"flags": {"v": 4}}},
    "endpointPicker.valuesFrom": [{"kind": "ConfigMap", "name": "x"}],
    "objectives": [{"name": "high", "priority": 5}],
    "chart.name": "default",
    "chart.version": "v1.4.0",
    "chart.digest": f"sha256:{'b' * 64}",
    "serviceAccountName": "flux",
}
"""Each field, with a value that is not its default."""
REQUIRED = {"match": {}, "group": {"name": "chat"}, "probe": {"path": "/alive"}, "group.canary": {"steps": [20, 100]}}
"""What is there before one of its fields is set."""
BESIDE = {
    "nothing": {},
    "a pool of one's own": {"pool": {"ref": {"name": "mine"}}},
    "a route of one's own": {"httpRouteRef": {"name": "mine"}},
    "both": {"pool": {"ref": {"name": "mine"}}, "httpRouteRef": {"name": "mine"}},
    "a group": {"group": {"name": "chat"}},
}
GATEWAY = {
    "kind": "Gateway",
    "metadata": {"name": "edge", "namespace": NAMESPACE},
    "spec": {"gatewayClassName": "istio", "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}]},
}
CLASS = {"kind": "GatewayClass", "metadata": {"name": "istio"}, "spec": {"controllerName": "istio.io/gateway-controller"}}
ROUTES = [
    {
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{**POOL, "name": derived().release}]}]},
    }
    for name in ("mine", "theirs")
]
KNOWN = Known([GATEWAY, CLASS, *ROUTES])
SAME_ANYWAY = {"chart.name": "the only source is the default"}


def fields(model=GatewaySpec):
    """The paths of all fields; a list, and what has no schema, is one field."""
    for name, field in model.model_fields.items():
        alias = field.alias or name
        inner = next((part for part in (field.annotation, *getattr(field.annotation, "__args__", ())) if is_model(part)), None)
        yield from [alias] if inner is None else (f"{alias}.{path}" for path in fields(inner))


def is_model(part):
    return isinstance(part, type) and issubclass(part, ApiModel)


def with_parts(gateway, steps):
    """A `gateway` that has the parts on the way to a field, and the innermost one."""
    changed = copy.deepcopy(gateway)
    part = changed
    for number, step in enumerate(steps, 1):
        part = part.setdefault(step, copy.deepcopy(REQUIRED.get(".".join(steps[:number]), {})))
    return changed, part


def outcome(gateway):
    """What becomes of it: objects and decisions, refusals, and warnings."""
    verdict = judge(quickstart(gateway=gateway), KNOWN, SETTINGS)
    preview = verdict.preview
    return preview and (preview.manifests, preview.decisions), verdict.refusals, verdict.warnings


def test_there_is_a_value_for_every_field():
    assert sorted(VALUES) == sorted(fields())


@pytest.mark.parametrize("beside", BESIDE)
def test_every_field_has_an_effect_or_its_author_is_told(beside):
    silent = []
    unchanged = outcome(BESIDE[beside])
    for path, value in VALUES.items():
        *above, field = path.split(".")
        before, _ = with_parts(BESIDE[beside], above)
        after, part = with_parts(before, above)
        part[field] = value
        found = outcome(after)
        is_said = bool(found[1]) or is_told(path, found[2])
        if after != before and not is_said and found == (unchanged if before == BESIDE[beside] else outcome(before)):
            silent.append(path)
    assert [path for path in silent if path not in SAME_ANYWAY] == []


def is_told(path, warnings):
    """Whether a warning is about the field, or about a part with it, which is said of an empty part, too."""
    steps = path.split(".")
    names = [f"gateway.{'.'.join(steps[:number])} has no effect" for number in range(1, len(steps) + 1)]
    return any(warning.startswith(name) for warning in warnings for name in names)


@pytest.mark.parametrize("mode", Mode)
def test_a_request_of_the_controller_that_is_never_sent_is_said(mode):
    asked = GatewaySpec.model_validate({"probe": {"path": "/health"}})
    settings = replace(SETTINGS, mode=mode)
    assert list(gateway_without_effect(asked, settings)) == []
    assert list(gateway_without_effect(asked, replace(settings, probes=False))) == [
        "gateway.probe has no effect: the installation sends no requests (probe.mode in its settings is off)"
    ]
