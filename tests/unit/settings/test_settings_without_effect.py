"""Settings without effect beside the others: one sentence for each, and none for those that have one."""

from dataclasses import replace

import pytest

from workspace_ctrl.planning.plan_settings import GatewayChoice
from workspace_ctrl.settings.process import ProbeMode, SettingsError
from workspace_ctrl.settings.settings_file import parse_settings_file
from workspace_ctrl.settings.settings_without_effect import document_without_effect, settings_without_effect

DIGEST = "sha256:" + "a" * 64
GATE = "featureGates: {gatewayAPIInferenceExtension: true}\n"
ON = {"featureGates": {"gatewayAPIInferenceExtension": True}}
COMPANION = f"mode: companion\n{GATE}"
LLM_D = "{name: llm-d, url: 'oci://registry.example/llm-d-router-gateway', version: v0.10.0}"
OFF = "has no effect: the feature gate gatewayAPIInferenceExtension is off"
KAITO = "has no effect: with mode companion, KAITO makes and scales the model servers"
FULL = f"""
featureGates: {{gatewayAPIInferenceExtension: true}}
gateway: {{namespace: gateways, name: public, sectionName: https}}
gatewayNamespaces: []
gatewayClasses: {{example.com/gateway-controller: istio}}
sharedPaths: [/models]
matchReportedNames: true
chartSources:
  - {{name: mirror, url: 'oci://registry.example/charts/inferencepool', digest: {DIGEST}}}
  - {LLM_D}
chartCheck: {{enabled: true, helm: /usr/local/bin/helm}}
endpointPicker:
  resources: {{requests: {{cpu: 1, memory: 1Gi}}}}
  replicas: 2
  values: {{inferenceExtension: {{flags: {{v: 2}}, replicas: 3}}, router: {{epp: {{resources: {{limits: {{cpu: 2}}}}}}}}, global: {{a: b}}}}
  allowedValues: [inferenceExtension.env, router.epp.env, experimentalHttpRoute.x]
  allowValuesFrom: true
modelServer:
  image: registry.example/vllm:v1
  resources: {{requests: {{cpu: 4}}}}
  disruptionBudget: {{enabled: true, maxUnavailable: 25%}}
  updates: Always
modelHub: {{url: 'https://hub.example', networks: [127.0.0.0/8]}}
helmRelease: {{serviceAccountName: flux-tenant}}
restrictedFields: allow
timeout: 60s
probe:
  mode: completion
  interval: 5
  secret: {{namespace: models, name: probe}}
  tokenGateways: [gateways/public]
  networks: [127.0.0.0/8]
autoscaling: {{enabled: true, url: 'http://load.example:8090'}}
bodyBasedRouting: {{mode: managed, chart: {{insecure: true}}, values: {{bbr: {{replicas: 2}}}}}}
modelIndex: {{enabled: true, namespaces: all, service: {{namespace: a, name: b}}}}
"""


def told(text):
    """What is said of a settings file without options."""
    file = parse_settings_file(text)
    plan = replace(file.plan_settings(), model_hub=file.model_hub.settings().url if file.model_hub else "https://huggingface.co")
    return [*settings_without_effect(file, plan, file.probe.settings())]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (COMPANION + "modelServer: {updates: Always}", f"modelServer {KAITO}"),
        (COMPANION + "modelHub: {url: off}", f"modelHub {KAITO}"),
        (COMPANION + "autoscaling: {enabled: true, url: 'http://a'}", f"autoscaling.enabled {KAITO}"),
        ("gateway: {namespace: a, name: b}", f"gateway {OFF}"),
        ("gatewayNamespaces: [a]", f"gatewayNamespaces {OFF}"),
        ("gatewayClasses: {example.com/x: istio}", f"gatewayClasses {OFF}"),
        ("sharedPaths: [/models]", f"sharedPaths {OFF}"),
        ("matchReportedNames: true", f"matchReportedNames {OFF}"),
        ("chartSources: [{insecure: true}]", f"chartSources {OFF}"),
        ("chartCheck: {enabled: true}", f"chartCheck {OFF}"),
        ("endpointPicker: {replicas: 2, values: {router: {}}}", f"endpointPicker {OFF}"),
        ("helmRelease: {serviceAccountName: a}", f"helmRelease {OFF}"),
        (
            "timeout: 900s",
            (
                "timeout has no effect but on how long pods of presets may take to end: the feature gate "
                "gatewayAPIInferenceExtension is off"
            ),
        ),
        ("probe: {mode: off, interval: 5}", f"probe {OFF}"),
        ("bodyBasedRouting: {mode: managed}", f"bodyBasedRouting {OFF}"),
        ("modelIndex: {enabled: true, service: {namespace: a, name: b}}", f"modelIndex.enabled {OFF}"),
        ("autoscaling: {enabled: true, url: 'http://a'}", f"autoscaling.enabled {OFF}"),
        (
            GATE + "gateway: {namespace: a, name: b}\ngatewayNamespaces: [a]",
            (
                "gatewayNamespaces has no effect on the choice of a Gateway: gateway is set; the responses of Gateways there are quoted in "
                "statuses"
            ),
        ),
        (
            GATE + "gateway: {namespace: a, name: b}\ngatewayNamespaces: [a]\nprobe: {mode: off}",
            "gatewayNamespaces has no effect on the choice of a Gateway: gateway is set",
        ),
        (GATE + "probe: {mode: off, interval: 5}", "probe.interval has no effect: probe.mode is off"),
        (GATE + "probe: {mode: off, secret: {namespace: a, name: b}}", "probe.secret has no effect: probe.mode is off"),
        (GATE + "probe: {mode: off, tokenGateways: [a/b]}", "probe.tokenGateways has no effect: probe.mode is off"),
        (GATE + "probe: {mode: off, networks: [127.0.0.0/8]}", "probe.networks has no effect: probe.mode is off"),
        (
            GATE + "probe: {tokenGateways: [a/b]}",
            (
                "probe.tokenGateways has no effect but that statuses quote the responses of these Gateways: there is no probe.secret with "
                "a token or a client certificate"
            ),
        ),
        (
            GATE + "probe: {secret: {namespace: a, name: b}}",
            (
                "the token or client certificate of probe.secret has no effect: it is sent only to probe.tokenGateways, or else to "
                "gateway, and neither is set"
            ),
        ),
        (
            GATE + "bodyBasedRouting: {chart: {insecure: true}}",
            "bodyBasedRouting.chart has no effect: bodyBasedRouting.mode is not managed",
        ),
        (
            GATE + "bodyBasedRouting: {mode: off, values: {bbr: {}}}",
            "bodyBasedRouting.values has no effect: bodyBasedRouting.mode is not managed",
        ),
        (
            GATE + "autoscaling: {enabled: true, url: 'http://a', prometheus: {url: 'http://b'}}",
            "autoscaling.url has no effect: KEDA reads the load from autoscaling.prometheus",
        ),
        ("autoscaling: {url: 'http://a'}", "autoscaling.url has no effect: autoscaling.enabled is false"),
        ("autoscaling: {prometheus: {url: 'http://a'}}", "autoscaling.prometheus has no effect: autoscaling.enabled is false"),
        ("modelIndex: {namespaces: all}", "modelIndex.namespaces has no effect: modelIndex.enabled is false"),
        (
            "modelServer: {disruptionBudget: {enabled: false, maxUnavailable: 2}}",
            "modelServer.disruptionBudget.maxUnavailable has no effect: modelServer.disruptionBudget.enabled is false",
        ),
        (GATE + "chartCheck: {helm: /bin/helm}", "chartCheck.helm has no effect: chartCheck.enabled is false"),
        ("modelHub: {url: off, networks: [127.0.0.0/8]}", "modelHub.networks has no effect: modelHub.url is off"),
        (
            GATE + "endpointPicker: {replicas: 2, values: {inferenceExtension: {replicas: 3}}}",
            "endpointPicker.replicas has no effect: endpointPicker.values.inferenceExtension.replicas decides",
        ),
        (
            GATE + f"chartSources: [{{}}, {LLM_D}]\nendpointPicker: {{replicas: 2, values: "
            "{inferenceExtension: {replicas: 3}, router: {epp: {replicas: 1}}}}",
            (
                "endpointPicker.replicas has no effect: endpointPicker.values.inferenceExtension.replicas or "
                "endpointPicker.values.router.epp.replicas decides"
            ),
        ),
        (
            GATE + "endpointPicker: {resources: {requests: {cpu: 1, memory: 1Gi}}, values: {inferenceExtension: "
            "{resources: {requests: {cpu: 2}}}}}",
            "endpointPicker.resources.requests.cpu has no effect: endpointPicker.values.inferenceExtension.resources decides about cpu",
        ),
        (
            GATE + "endpointPicker: {resources: {requests: {memory: 1Gi}}, values: {inferenceExtension: "
            "{resources: {limits: {memory: 2Gi}}}}}",
            (
                "endpointPicker.resources.requests.memory has no effect: endpointPicker.values.inferenceExtension.resources decides about "
                "memory"
            ),
        ),
        (
            GATE + "chartSources: [{version: v1.3.1}]\nendpointPicker: {resources: {requests: {cpu: 1}}}",
            (
                "endpointPicker.resources has no effect with inferencepool >=1.2,<1.4, which takes none, but on Workspaces that choose a "
                "later version"
            ),
        ),
        (
            GATE + "endpointPicker: {values: {inferenceExtenson: {replicas: 3}}}",
            (
                "endpointPicker.values.inferenceExtenson has no effect that is known: inferencepool has no such key; "
                "did you mean inferenceExtension?"
            ),
        ),
        (
            GATE + "endpointPicker: {values: {whatever: 1}}",
            (
                "endpointPicker.values.whatever has no effect that is known: inferencepool has no such key; known are "
                "experimentalHttpRoute, inferenceExtension, inferenceObjectives, inferencePool, istio, provider"
            ),
        ),
        (
            GATE + "endpointPicker: {values: {router: {epp: {replicas: 3}}}}",
            "endpointPicker.values.router has no effect: it belongs to the chart llm-d-router-gateway, which no source of chartSources has",
        ),
        (
            GATE + f"chartSources: [{LLM_D}]\nendpointPicker: {{allowedValues: [inferenceExtension.env]}}",
            (
                "endpointPicker.allowedValues[0], inferenceExtension.env, has no effect: it belongs to the chart inferencepool, which no "
                "source of chartSources has"
            ),
        ),
        (
            GATE + "endpointPicker: {allowedValues: [inferenceExtension.env, inferenceExtensoin.affinity]}",
            (
                "endpointPicker.allowedValues[1], inferenceExtensoin.affinity, has no effect that is known: inferencepool has no such key; "
                "did you mean inferenceExtension?"
            ),
        ),
    ],
)
def test_a_setting_without_effect_is_told_once(text, sentence):
    assert told(text) == [sentence]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="defaults"),
        pytest.param(GATE, id="the gate alone"),
        pytest.param(FULL, id="everything"),
        pytest.param("modelServer: {updates: Always}\nrestrictedFields: allow", id="model servers alone"),
        pytest.param(COMPANION, id="beside KAITO"),
        pytest.param("gatewayNamespaces: []\nmatchReportedNames: false\nprobe: {}\nchartCheck: {}", id="nothing is asked for"),
        pytest.param(GATE + "probe: {secret: {namespace: a, name: b}, tokenGateways: []}", id="no token is to be sent"),
        pytest.param(
            GATE + "probe: {secret: {namespace: a, name: b}}\ngateway: {namespace: a, name: b}", id="a token for a Gateway"
        ),
        pytest.param(
            GATE
            + f"chartSources: [{{}}, {LLM_D}]\nendpointPicker: {{replicas: 2, values: {{inferenceExtension: {{replicas: 3}}}}}}",
            id="replicas of the other chart",
        ),
        pytest.param(
            GATE + "chartSources: [{url: 'oci://registry.example/charts/fork', layout: inferencepool}]\n"
            "endpointPicker: {values: {ours: 1}}",
            id="a key of a fork",
        ),
    ],
)
def test_nothing_is_told_where_all_has_an_effect(text):
    assert told(text) == []


def test_each_of_several_is_told():
    assert told("gateway: {namespace: a, name: b}\nsharedPaths: [/models]") == [f"gateway {OFF}", f"sharedPaths {OFF}"]


def test_options_decide_what_has_an_effect():
    file = parse_settings_file(
        GATE + "gatewayNamespaces: [a]\nprobe: {mode: off, interval: 5}\nmodelHub: {networks: [127.0.0.0/8]}"
    )
    plan, probe = replace(file.plan_settings(), model_hub="https://hub.example"), file.probe.settings()
    assert [*settings_without_effect(file, plan, replace(probe, mode=ProbeMode.MODELS))] == []
    assert [*settings_without_effect(file, replace(plan, gateway=GatewayChoice("a", "b")), probe)] == [
        "gatewayNamespaces has no effect on the choice of a Gateway: gateway is set",
        "probe.interval has no effect: probe.mode is off",
    ]
    assert [*settings_without_effect(file, replace(plan, model_hub=""), replace(probe, mode=ProbeMode.MODELS))] == [
        "modelHub.networks has no effect: modelHub.url is off"
    ]


def test_the_file_of_another_process_is_told_of_as_far_as_it_is_known():
    assert document_without_effect({"sharedPaths": ["/models"]}) == (f"sharedPaths {OFF}",)
    assert document_without_effect({"modelHub": {"networks": ["127.0.0.0/8"]}}) == ()
    assert document_without_effect({"ofALaterVersion": {}}) == ()
    assert (
        document_without_effect({**ON, "endpointPicker": {"resources": {}, "values": {"inferenceExtension": {"resources": 5}}}})
        == ()
    )
    with pytest.raises(SettingsError):
        parse_settings_file("ofALaterVersion: {}")
