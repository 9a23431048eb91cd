"""Right and wrong values of every setting, with which chart and controller have to agree.

A path is dotted; a number in it is a place in a list. Each value is one of its own: what excludes another setting is in `test_settings.py`.
"""

from typing import Any, NamedTuple

DIGEST = f"sha256:{'0' * 64}"
INFERENCEPOOL = "oci://registry.example/charts/inferencepool"
ROUTER = "oci://registry.example/charts/body-based-routing"
RESOURCES = {"requests": {"cpu": "500m", "memory": 68719476736}, "limits": {"memory": "2Gi", "nvidia.com/gpu": 1}}


class Case(NamedTuple):
    """Values of one setting."""

    right: tuple[Any, ...]
    wrong: tuple[Any, ...]


_SWITCH = Case((True, False), ("yes", 1))
_NAME = Case(("inference-gateway", "a.b"), ("A b", "-a", ""))
_NAMESPACE = Case(("gateways",), ("Gateways", "a.b", "a" * 64))
_DIGEST = Case((DIGEST,), ("abc", "sha256:0", f"sha256:{'A' * 64}"))
_RESOURCES = Case(
    (
        RESOURCES,
        {"limits": {"cpu": 0.5}},
        {"limits": {"cpu": ".5", "memory": "1.Gi"}},
        {"limits": {"cpu": "5e-1", "memory": "1E+9"}},
        {},
    ),
    (
        {"requests": {"cpu": "."}},
        {"requests": {"cpu": "e3"}},
        {"request": {"cpu": 1}},
        {"limits": {"memory": "4GB"}},
        {"requests": {"cpu": True}},
        {"requests": {"a b": 1}},
        {"limits": []},
    ),
)
_PRESET_RESOURCES = Case((RESOURCES | {"limits": {"memory": "2Gi"}}, *_RESOURCES.right[1:]), _RESOURCES.wrong)
_NETWORKS = Case(
    (
        ["127.0.0.0/8", "10.0.0.1", "0.0.0.0/0"],
        ["fe80::/10", "FE80::/10", "::1", "::ffff:10.0.0.0/104", "1:2:3:4:5:6:7:8"],
        ["1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"],
        [],
    ),
    (["999.1.1.1/8"], ["10.0.0.0/33"], ["fe80::/129"], ["localhost"], ["10.0.0"], "127.0.0.0/8"),
)
CASES = {
    "mode": Case(("managed", "companion"), ("both", "", ["managed"])),
    "featureGates.gatewayAPIInferenceExtension": Case((True,), ("yes", 1)),
    "gateway.namespace": _NAMESPACE,
    "gateway.name": _NAME,
    "gateway.sectionName": _NAME,
    "gatewayNamespaces": Case((["gateways", "models"], ["*"], []), (["Gateways"], "gateways")),
    "gatewayClasses": Case(
        ({"example.com/x": "istio"}, {}), ({"example.com/x": "istoi"}, {"istio-gie": "istio"}, {"example.com/x": True})
    ),
    "sharedPaths": Case((["/models", "/a/b"], ["/"]), (["models"], ["/models/"], ["/a b"])),
    "matchReportedNames": _SWITCH,
    "chartSources.0.name": _NAME,
    "chartSources.0.url": Case(
        (INFERENCEPOOL,), ("https://registry.example/x", f"{INFERENCEPOOL}:v1.5.0", "oci://user@x/inferencepool")
    ),
    "chartSources.0.version": Case(("v1.5.0", "1.4.1", "v1.3.0-rc.3", "v1.5.0+build"), ("latest", "v1.5", "1.5.x", "", 1.5)),
    "chartSources.0.digest": _DIGEST,
    "chartSources.1.allowedDigests": Case(({"v1.4.0": DIGEST}, {}), ({"latest": DIGEST}, {"v1.4.0": "abc"}, {"v1.4": DIGEST})),
    "chartSources.0.layout": Case(("inferencepool",), ("inferencepol", "")),
    "chartSources.0.insecure": _SWITCH,
    "chartSources.0.secretRef.name": _NAME,
    "chartSources.0.certSecretRef.name": _NAME,
    "chartSources.0.verify.provider": Case(("cosign", "notation"), ("gpg", "")),
    "chartSources.0.verify.secretRef.name": _NAME,
    "chartCheck.enabled": _SWITCH,
    "chartCheck.helm": Case(("/usr/local/bin/helm",), ("", 1)),
    "endpointPicker.resources": _RESOURCES,
    "endpointPicker.replicas": Case((1, 100), (0, 101, "2", 1.5)),
    "endpointPicker.values": Case(
        (
            {"inferenceExtension": {"flags": {"v": 999999, "other": "1000000"}, "resources": RESOURCES}},
            {"router": {"epp": {"flags": {}}}},
            {"inferenceExtension": {"resources": None}, "router": {"epp": {"resources": None}}},
            {},
        ),
        (
            "x",
            {"inferenceExtension": {"resources": {"request": {}}}},
            {"inferenceExtension": {"resources": {"limits": {"memory": "4GB"}}}},
        ),
    ),
    "endpointPicker.allowedValues": Case((["inferenceExtension.affinity"], []), (["a..b"], [""], "a")),
    "endpointPicker.allowValuesFrom": _SWITCH,
    "modelServer.disruptionBudget.enabled": _SWITCH,
    "modelServer.disruptionBudget.maxUnavailable": Case((1, "25%", "100%"), (0, "0%", "101%", "1", 0.5)),
    "modelServer.caBundle.configMap": _NAME,
    "modelServer.caBundle.key": Case(("ca.crt", "tls_ca"), ("a b", "", "/ca")),
    "modelServer.env.0.name": Case(("HF_ENDPOINT", "https_proxy"), ("A B", "", "1A")),
    "modelServer.env.0.value": Case(("https://hub.example", ""), (1, True)),
    "modelServer.image": Case(("registry.example/vllm:v1", f"registry.example/vllm@{DIGEST}"), ("", "a b", "vllm\n")),
    "modelServer.localWeights": Case(("/opt/kaito/models",), ("/opt/../etc", "models", "/models/")),
    "modelServer.priorityClassName": Case(("models",), ("Models High", "")),
    "modelServer.resources": _PRESET_RESOURCES,
    "modelServer.updates": Case(("OnSpecChange", "Always"), ("Never", "")),
    "modelHub.url": Case(
        ("https://hub.example/mirror", "off", False), ("hub.example", "https://hub.example/", "https://u:p@hub.example", True)
    ),
    "modelHub.networks": _NETWORKS,
    "helmRelease.serviceAccountName": _NAME,
    "restrictedFields": Case(("allow", "deny"), ("no", True)),
    "timeout": Case(("600s", "1h30m", "0s"), ("5 minutes", "s", 600)),
    "probe.mode": Case(("models", "completion", "off", False), ("often", True, {})),
    "probe.interval": Case((1, 30.5), (0, "30", 0.5)),
    "probe.secret.namespace": _NAMESPACE,
    "probe.secret.name": _NAME,
    "probe.tokenGateways": Case((["gateways/inference-gateway", "a/b.c"], []), (["A/B"], ["public"], ["a/b/c"], ["a.b/c"])),
    "probe.networks": _NETWORKS,
    "autoscaling.enabled": _SWITCH,
    "autoscaling.prometheus.url": Case(
        ("http://prometheus.monitoring:9090", "https://p.example/a/"), ("p:9090", "http://u@p", "http://p?q")
    ),
    "bodyBasedRouting.mode": Case(("managed", "off", False), ("on", True)),
    "bodyBasedRouting.chart.url": Case((ROUTER, "oci://r/body-based-routing"), ("oci://registry.example/bbr", f"{ROUTER}:v1.5.0")),
    "bodyBasedRouting.chart.version": Case(("v1.5.1", "1.5.0"), ("v1.4.0", "latest", "v1.5", "v1.5.0-rc.1")),
    "bodyBasedRouting.chart.digest": _DIGEST,
    "bodyBasedRouting.chart.insecure": _SWITCH,
    "bodyBasedRouting.chart.secretRef.name": _NAME,
    "bodyBasedRouting.chart.certSecretRef.name": _NAME,
    "bodyBasedRouting.chart.verify.provider": Case(("cosign", "notation"), ("gpg", "")),
    "bodyBasedRouting.chart.verify.secretRef.name": _NAME,
    "bodyBasedRouting.values": Case(({"bbr": {"replicas": 2}}, {}), ([], "x")),
    "modelIndex.enabled": _SWITCH,
    "modelIndex.namespaces": Case(("same", "all", ["team-a", "team-b"]), ("some", [], ["Team A"])),
}
BESIDE = {
    "gateway": {"namespace": "gateways", "name": "inference-gateway"},
    "probe.secret": {"namespace": "models", "name": "probe"},
    "chartSources.0.verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
    "modelServer.caBundle": {"configMap": "authorities"},
    "modelServer.env.0": {"name": "HF_ENDPOINT", "value": "https://hub.example"},
    "chartSources.1": {"name": "second"},
    "bodyBasedRouting.chart.verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
}
"""What a setting of a path needs beside it."""
SET_BY_THE_CHART = {"autoscaling.url", "modelIndex.service.namespace", "modelIndex.service.name", "modelIndex.service.port"}
NOT_IN_THE_CHART = {"bodyBasedRouting.chart.layout"}
"""Without an effect, as there is one chart."""
