"""Whatever an author writes under `gateway` changes what is created or decided, or he is told that it does not."""

import copy
from dataclasses import replace

import pytest
import yaml

from e2e.cluster.places import REPOSITORY
from tests.unit.factories import NAMESPACE, SETTINGS, derived, quickstart
from workspace_ctrl.api.api_model import ApiModel
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.admission.fields_without_effect import gateway_without_effect
from workspace_ctrl.planning.plan_settings import AutoscalingSettings, Mode

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
    "endpointPicker.values": {"inferenceExtension": {"tolerations": [{"operator": "Exists"}]}},
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


SCALED = replace(SETTINGS, autoscaling=AutoscalingSettings(enabled=True, url="http://load"))
BESIDE_KAITO = replace(SETTINGS, mode=Mode.COMPANION)
SCALING = "scaledobject.kaito.sh/"


def a_set(annotations=(), template=(), template_inference=None, **spec):
    """An InferenceSet with annotations on itself and in its template."""
    resource = {"instanceType": "Standard_NC24ads_A100_v4"}
    metadata = {"metadata": {"annotations": dict(template)}} if template else {}
    given = {"inference": template_inference or {"preset": {"name": "phi-4-mini-instruct"}}, "resource": resource, **metadata}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": {"name": "phi", "namespace": NAMESPACE, "annotations": dict(annotations)},
        "spec": {"labelSelector": {}, "template": given, **spec},
    }


def custom(**figures):
    return quickstart(inference={"preset": {"name": "some-lab/model", "size": {"weights": "7Gi", **figures}}})


def picker(**fields):
    return quickstart(gateway={"endpointPicker": fields})


@pytest.mark.parametrize(
    ("raw", "settings", "warnings"),
    [
        pytest.param(
            a_set(template={"kaito.sh/enablelb": "true", "autoscaling.keda.sh/paused": "true"}),
            SETTINGS,
            (
                (
                    "spec.template.metadata.annotations: autoscaling.keda.sh/paused, kaito.sh/enablelb have no effect there; "
                    "set them on the InferenceSet itself"
                ),
            ),
            id="annotations of the set in its template",
        ),
        pytest.param(a_set(template={"kaito.sh/runtime": "vllm"}), SETTINGS, (), id="an annotation of the model server there"),
        pytest.param(
            a_set(autoscaling={"maxReplicas": 4, "idleAfter": "7m", "requestsHeldFor": "15m"}),
            SCALED,
            ("spec.autoscaling.idleAfter has no effect unless minReplicas is 0",),
            id="a time that only counts at zero; the other one is the API server's default",
        ),
        pytest.param(
            a_set(autoscaling={"minReplicas": 2, "maxReplicas": 8}, nodeCountLimit=3, replicas=2),
            SCALED,
            (
                (
                    "spec.nodeCountLimit: 3 allows 3 replicas of 1 node each, so the maximum of autoscaling, 8, is never reached; "
                    "raise it, or lower the maximum"
                ),
            ),
            id="a limit below the maximum",
        ),
        pytest.param(
            a_set(
                autoscaling={"maxReplicas": 3, "target": {"metric": "kvCacheUtilization", "value": 100}},
                nodeCountLimit=3,
                replicas=2,
            ),
            SCALED,
            (),
            id="a limit that is the maximum, and a target that is the whole cache",
        ),
        pytest.param(
            a_set(
                {f"{SCALING}auto-provision": "true"},
                nodeCountLimit=7,
                template_inference={"preset": {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "t"}}},
            ),
            SCALED,
            (),
            id="KAITO's maximum, which is the limit",
        ),
        pytest.param(
            a_set({f"{SCALING}auto-provision": "\x1b[31mred\n\u202e"}),
            SCALED,
            (f'annotation {SCALING}auto-provision has no effect: "\ufffd[31mred \ufffd" is neither "true" nor "false"',),
            id="a switch that would colour a terminal",
        ),
        pytest.param(
            a_set(autoscaling={"minReplicas": 0, "maxReplicas": 8}, gateway={"chart": {"version": "v1.4.0"}}),
            SCALED,
            (
                (
                    "spec.autoscaling.minReplicas: 0 has no effect, and the last copy stays: the endpoint picker of chart "
                    "inferencepool >=1.4,<1.5 does not hold requests; use 1.5 or later"
                ),
            ),
            id="no copies where requests are not held",
        ),
        pytest.param(
            a_set({f"{SCALING}auto-provision": "yes"}),
            SCALED,
            (f'annotation {SCALING}auto-provision has no effect: "yes" is neither "true" nor "false"',),
            id="a switch that is none",
        ),
        pytest.param(
            a_set({f"{SCALING}max-replicas": "4", f"{SCALING}threshold": "2"}),
            SCALED,
            (f'annotations {SCALING}threshold, {SCALING}max-replicas have no effect without {SCALING}auto-provision: "true"',),
            id="bounds without the switch",
        ),
        pytest.param(
            a_set({f"{SCALING}auto-provision": "true", f"{SCALING}max-replicas": "4"}, autoscaling={"maxReplicas": 2}),
            SCALED,
            (f"annotations {SCALING}auto-provision, {SCALING}max-replicas have no effect beside spec.autoscaling",),
            id="bounds in both places",
        ),
        pytest.param(
            a_set({f"{SCALING}auto-provision": "true", f"{SCALING}max-replicas": "4", "kaito.sh/paused": "true"}),
            SCALED,
            (),
            id="KAITO's annotations as they are meant",
        ),
        pytest.param(
            a_set({"kaito.sh/paused": "1"}, autoscaling={"maxReplicas": 2}),
            SCALED,
            ('annotation kaito.sh/paused has no effect: "1" is neither "true" nor "false"',),
            id="a pause that is none",
        ),
        pytest.param(
            a_set({"autoscaling.keda.sh/paused": "true", "kaito.sh/paused": "True"}),
            SCALED,
            ("annotations autoscaling.keda.sh/paused, kaito.sh/paused have no effect: the InferenceSet is not scaled by load",),
            id="a pause of nothing",
        ),
        pytest.param(
            custom(contextLimit=4096, kvHeads=8),
            SETTINGS,
            (
                (
                    "inference.preset.size: the size of the KV cache does not follow from contextLimit, kvHeads, so vLLM chooses the "
                    "context; set kvBytesPerToken, or layers, kvHeads and headDim together"
                ),
            ),
            id="half of the figures",
        ),
        pytest.param(custom(contextLimit=4096, layers=32, kvHeads=8, headDim=128), SETTINGS, (), id="all of the figures"),
        pytest.param(custom(attentionHeads=32), SETTINGS, (), id="heads alone, by which GPUs are divided"),
        pytest.param(
            picker(replicas=2, resources={"requests": {"cpu": "1"}}, values={"inferenceExtension": {"replicas": 3}}),
            SETTINGS,
            (
                (
                    "gateway.endpointPicker.values.inferenceExtension.replicas has no effect beside gateway.endpointPicker.replicas; "
                    "remove one of them"
                ),
            ),
            id="a value that a field overrules",
        ),
        pytest.param(picker(values={"inferenceExtension": {"replicas": 3}}), SETTINGS, (), id="a value that no field overrules"),
        pytest.param(
            picker(resources={}, values={"inferenceExtension": {"resources": {"limits": {"memory": "2Gi"}}}}),
            SETTINGS,
            (),
            id="resources that say nothing",
        ),
        pytest.param(
            quickstart(metadata={**quickstart()["metadata"], "labels": {"kaito.sh/use-local-weights": "true"}}),
            SETTINGS,
            ("label kaito.sh/use-local-weights is ignored: only annotations have an effect",),
            id="an annotation as a label",
        ),
        pytest.param(
            quickstart(
                metadata={**quickstart()["metadata"], "annotations": {"workspace-ctrl/update-pods": "always"}},
                gateway={"timeout": "33s"},
            ),
            BESIDE_KAITO,
            (
                "annotation workspace-ctrl/update-pods has no effect beside KAITO, whose model servers are left alone",
                "gateway has no effect as a field beside KAITO, whose API has none; write it into the annotation workspace-ctrl/gateway",
            ),
            id="what is not KAITO's, beside KAITO",
        ),
    ],
)
def test_what_has_no_effect_beside_other_fields_is_said(raw, settings, warnings):
    verdict = judge(raw, KNOWN, settings)
    assert (verdict.refusals, verdict.warnings) == ((), warnings)


def test_an_instance_type_beside_named_nodes_is_said():
    labels = {"nvidia.com/gpu.product": "NVIDIA-A100-80GB-PCIe", "nvidia.com/gpu.memory": "81920", "nvidia.com/gpu.count": "4"}
    node = {"kind": "Node", "metadata": {"name": "n1", "labels": labels}}
    resource = {"instanceType": "Standard_NC48ads_A100_v4", "labelSelector": {}}
    said = (
        "resource.instanceType has no effect beside resource.preferredNodes: the model is sized for the GPUs in the labels of nodes, and "
        "nodes of other types are allowed"
    )
    named = judge(quickstart(resource={**resource, "preferredNodes": ["n1"]}), Known([GATEWAY, CLASS, node]), SETTINGS)
    assert (named.refusals, named.warnings) == ((), (said,))
    for other in (resource, {**resource, "instanceType": "Standard_NC24ads_A100_v4", "preferredNodes": ["n1"]}):  # KAITO's default
        assert judge(quickstart(resource=other), Known([GATEWAY, CLASS, node]), SETTINGS).warnings == ()


EXAMPLES = {
    f"{path.relative_to(REPOSITORY / 'examples')} {document['metadata']['name']}": document
    for path in sorted((REPOSITORY / "examples").rglob("*.yaml"))
    for document in yaml.load_all(path.read_text(), yaml.CSafeLoader)
    if isinstance(document, dict) and document.get("kind") in {"Workspace", "InferenceSet"}
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_example_has_something_without_effect(example):
    warnings = judge(EXAMPLES[example], Known(), SCALED).warnings
    assert [warning for warning in warnings if "no effect" in warning or "ignored" in warning] == []


def test_nodes_whose_gpus_are_not_known_are_named_as_many_as_they_are():
    nodes = [{"kind": "Node", "metadata": {"name": name, "labels": {"gpu": "yes"}}} for name in ("a", "b")]
    resource = {"labelSelector": {"matchLabels": {"gpu": "yes"}}}
    for some, named in ((nodes[:1], "Node a: "), (nodes, "Nodes a, b: ")):
        verdict = judge(quickstart(resource=resource), Known([GATEWAY, CLASS, *some]), SETTINGS)
        assert f"{named}GPUs not known" in " ".join((*verdict.refusals, *verdict.warnings))
