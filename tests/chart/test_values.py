"""Values: wrong ones are refused with their path, right ones become a settings file that the controller reads."""

import json

import pytest
import yaml

from e2e.cluster.chart import SOURCE, chart
from tests.chart.helm import GATE, NAMESPACE, find, helm, refusal, render
from workspace_ctrl.catalog.gateway_classes import gateway_classes
from workspace_ctrl.planning.preset.installed_environment import RESERVED
from workspace_ctrl.settings.settings_file import SettingsFile, parse_settings_file

DIGEST = f"sha256:{'0' * 64}"
SETTINGS = {
    "mode": "companion",
    **GATE,
    "gateway": {"namespace": "gateways", "name": "inference-gateway", "sectionName": "https"},
    "gatewayNamespaces": ["gateways"],
    "gatewayClasses": {"example.com/gateway-controller": "istio"},
    "sharedPaths": ["/models"],
    "matchReportedNames": True,
    "chartSources": [
        {
            "name": "mirror",
            "url": "oci://registry.example/charts/inferencepool",
            "version": "v1.5.0",
            "allowedDigests": {"v1.4.0": DIGEST},
            "layout": "inferencepool",
            "insecure": True,
            "secretRef": {"name": "login"},
            "certSecretRef": {"name": "authority"},
            "verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
        },
        {"name": "pinned", "digest": DIGEST},
    ],
    "chartCheck": {"enabled": True, "helm": "/usr/local/bin/helm"},
    "endpointPicker": {
        "resources": {"requests": {"cpu": "1"}},
        "replicas": 2,
        "values": {"inferenceExtension": {"flags": {"v": 4}}},
        "allowedValues": ["inferenceExtension.affinity"],
        "allowValuesFrom": True,
    },
    "modelServer": {
        "image": "registry.example/vllm:v1",
        "localWeights": "/opt/kaito/models",
        "priorityClassName": "models",
        "caBundle": {"configMap": "ca-bundle", "key": "ca-bundle.crt"},
        "env": [{"name": "HF_ENDPOINT", "value": "https://hub.example/mirror"}],
        "updates": "Always",
        "resources": {"requests": {"cpu": 4}},
    },
    "modelHub": {"url": "https://hub.example/mirror", "networks": ["127.0.0.0/8"]},
    "helmRelease": {"serviceAccountName": "flux-tenant"},
    "restrictedFields": "allow",
    "autoscaling": {"enabled": True, "prometheus": {"url": "http://prometheus.example:9090"}},
    "modelIndex": {"enabled": True, "namespaces": ["team-a", "team-b"]},
    "timeout": "600s",
    "probe": {
        "mode": "completion",
        "interval": 30,
        "secret": {"namespace": "models", "name": "probe"},
        "tokenGateways": ["gateways/g"],
        "networks": ["127.0.0.0/8"],
    },
    "bodyBasedRouting": {
        "mode": "managed",
        "chart": {"url": "oci://registry.example/charts/body-based-routing", "secretRef": {"name": "login"}},
        "values": {"bbr": {"replicas": 2}},
    },
}


def settings_of(values):
    return find(render(values), "ConfigMap")["data"]["settings.yaml"]


def container_of(values):
    (container,) = find(render(values), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]["containers"]
    return container


@pytest.mark.parametrize(
    ("values", "path"),
    [
        pytest.param({"repicas": 2}, "'repicas' not allowed", id="misspelt"),
        pytest.param({"replicas": "2"}, "at '/replicas'", id="type"),
        pytest.param({"replicas": 50}, "at '/replicas'", id="too many"),
        pytest.param({"featureGates": {"gatewayAPIInferenceExtention": True}}, "at '/featureGates'", id="misspelt gate"),
        pytest.param({"gateway": {"name": "only-a-name"}}, "'namespace' required", id="half a gateway"),
        pytest.param({"gatewayClasses": {"example.com/x": "istoi"}}, "at '/gatewayClasses/example.com~1x'", id="implementation"),
        pytest.param({"gatewayClasses": {"istio-gie": "istio"}}, "'istio-gie' not allowed", id="no controllerName"),
        pytest.param({"chartSources": [{"url": "https://registry.example/x"}]}, "at '/chartSources/0/url'", id="no OCI address"),
        pytest.param({"endpointPicker": {"replicas": 0}}, "at '/endpointPicker/replicas'", id="no picker"),
        pytest.param({"modelHub": {"url": "https://user:password@hub.example"}}, "at '/modelHub/url'", id="credentials of a hub"),
        *(
            pytest.param(
                {"modelServer": {"env": [{"name": name, "value": "x"}]}},
                f"modelServer.env must not contain {name}, which {why}.\n",
                id=f"reserved {name}",
            )
            for name, why in RESERVED.items()
        ),
        pytest.param(
            {"modelServer": {"env": [{"name": "A-B", "value": "x"}]}}, "at '/modelServer/env/0/name'", id="name of a variable"
        ),
        pytest.param(
            {"modelServer": {"env": [{"name": "A", "valueFrom": {}}]}}, "'valueFrom' not allowed", id="reference of a variable"
        ),
        pytest.param(
            {"modelServer": {"env": [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]}},
            "modelServer.env sets A twice",
            id="variable twice",
        ),
        pytest.param(
            {"modelServer": {"caBundle": {"configMap": "x"}, "env": [{"name": "SSL_CERT_FILE", "value": "x"}]}},
            "modelServer.env must not contain SSL_CERT_FILE, which is set by modelServer.caBundle",
            id="certificates twice",
        ),
        pytest.param(
            {"modelServer": {"env": [{"name": "http_proxy", "value": "http://proxy"}, {"name": "NO_PROXY", "value": "localhost"}]}},
            "modelServer.env has http_proxy, but no NO_PROXY with localhost,.svc",
            id="proxy between pods",
        ),
        pytest.param({"timeout": "5 minutes"}, "at '/timeout'", id="duration"),
        pytest.param({"scope": {"namespaces": ["Team A"]}}, "at '/scope/namespaces/0'", id="namespace"),
        pytest.param({"image": {"repository": "registry.example/workspace-ctrl:v1"}}, "at '/image/repository'", id="tag in name"),
        pytest.param({"rbac": {"workloadKinds": [{"kind": "LeaderWorkerSet"}]}}, "at '/rbac/workloadKinds/0'", id="kind"),
        pytest.param({"metrics": {"port": 99999}}, "at '/metrics/port'", id="port"),
        pytest.param({"flux2": {"enabled": "no"}}, "at '/flux2/enabled'", id="no switch"),
        pytest.param(
            {"chartSources": [{"digest": DIGEST, "allowedDigests": {"v1.4.0": DIGEST}}]},
            "chartSources: default has both digest and allowedDigests",
            id="digest that is pinned and to be chosen",
        ),
        pytest.param({"modelIndex": {"namespaces": "some"}}, "at '/modelIndex/namespaces'", id="no such choice"),
        pytest.param({"modelIndex": {"namespaces": []}}, "at '/modelIndex/namespaces'", id="no namespaces"),
        pytest.param({"modelIndex": {"enabled": True}}, "set featureGates.gatewayAPIInferenceExtension=true as well", id="no gate"),
        pytest.param({**GATE, "gatewayRemoval": True}, "to keep them, remove gatewayRemoval", id="gate on and off"),
        pytest.param(
            {**GATE, "gatewayRemoval": False}, "gatewayRemoval=false leaves out this chart's Flux", id="a gate without Flux"
        ),
        pytest.param(
            {"metrics": {"port": 8080}},
            "the fixed port of the health checks and metrics.port are both 8080",
            id="metrics at the port of the health checks",
        ),
        pytest.param(
            {"admission": {"port": 9090}},
            "metrics.port and admission.port are both 9090",
            id="admission at the port of the metrics",
        ),
        pytest.param(
            {**GATE, "autoscaling": {"enabled": True, "port": 9443}},
            "admission.port and autoscaling.port are both 9443",
            id="loads at the port of admission",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(values, path):
    assert path in refusal(values)


@pytest.mark.parametrize(
    "values",
    [
        {"admission": {"enabled": False, "port": 9090}},
        {"autoscaling": {"port": 9443}},
        {**GATE, "autoscaling": {"enabled": True, "port": 9443, "prometheus": {"url": "http://prometheus.example"}}},
    ],
    ids=["no admission", "no autoscaling", "loads of a Prometheus"],
)
def test_a_port_that_is_not_listened_on_may_be_any(values):
    render(values)


def test_the_variables_that_are_reserved_are_those_of_the_controller():
    checks = (SOURCE / "templates" / "_checks.tpl").read_text()
    listed = checks.partition('define "workspace-ctrl.reservedVariables" -}}\n')[2].partition("{{- end }}")[0]
    assert yaml.safe_load(listed) == dict(RESERVED)


def test_the_chart_passes_helm_s_strict_lint():
    result = helm("lint", "--strict", str(chart()))
    assert not result.returncode, result.stdout


def test_what_is_left_out_is_left_to_the_controller():
    left = {"featureGates": {"gatewayAPIInferenceExtension": False}, "restrictedFields": "allow"}
    assert yaml.safe_load(settings_of({})) == left
    assert parse_settings_file(settings_of({})) == SettingsFile.model_validate(left)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        pytest.param({}, "allow", id="the policy checks rights"),
        pytest.param({"admissionPolicy": {"enabled": False}}, "deny", id="nobody checks rights"),
        pytest.param({"admissionPolicy": {"enabled": False}, "restrictedFields": "allow"}, "allow", id="and nobody has to"),
        pytest.param({"restrictedFields": "deny"}, "deny", id="for nobody"),
    ],
)
def test_restricted_fields_are_allowed_where_a_policy_checks_the_rights_of_authors(values, word):
    assert yaml.safe_load(settings_of(values))["restrictedFields"] == word


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "secrets"),
        ("", "nodes"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("external-secrets.io", "externalsecrets"),
        ("bitnami.com", "sealedsecrets"),
    ],
)
def test_kinds_that_are_no_workloads_are_refused(group, resource):
    values = {"rbac": {"workloadKinds": [{"apiGroup": group, "resource": resource}]}}
    assert "at '/rbac/workloadKinds/0" in refusal(values)
    unchecked = helm("template", "workspace-ctrl", str(chart()), "--skip-schema-validation", values=values)
    assert f"rbac.workloadKinds must not contain {resource}" in unchecked.stderr


def test_replication_controllers_are_workloads_of_the_core_group():
    render({"rbac": {"workloadKinds": [{"apiGroup": "", "resource": "replicationcontrollers"}]}})


def test_options_that_the_policy_of_charts_does_not_know_are_refused():
    values = {"extraArgs": ["--chart-url=oci://registry.example/charts/inferencepool"]}
    assert "set the chart there, or set controllerPolicy.enabled=false" in refusal(values)
    render({**values, "controllerPolicy": {"enabled": False}})


def without(settings, key):
    return {name: value for name, value in settings.items() if name != key}


def test_every_setting_reaches_the_controller():
    service = {"service": {"namespace": NAMESPACE, "name": "workspace-ctrl-models"}}
    expected = {**SETTINGS, "modelIndex": SETTINGS["modelIndex"] | service}
    assert yaml.safe_load(settings_of(SETTINGS | {"mode": "managed"})) == without(expected, "mode")
    assert yaml.safe_load(settings_of(SETTINGS)) == without(expected, "autoscaling")
    read = parse_settings_file(settings_of(SETTINGS))
    assert read.model_fields_set == set(SettingsFile.model_fields) - {"autoscaling"}
    used = {field for source in read.chart_sources for field in source.model_fields_set}
    assert used == set(type(read.chart_sources[0]).model_fields)
    assert read.endpoint_picker.model_fields_set == set(type(read.endpoint_picker).model_fields)


def test_the_schema_knows_the_stanzas_of_the_settings_file_and_no_others():
    schema = json.loads((SOURCE / "values.schema.json").read_text())
    written = {field.alias or name for name, field in SettingsFile.model_fields.items()}
    assert written <= set(schema["properties"])
    for name in ("gateway", "endpoint_picker", "model_server", "helm_release", "probe", "body_based_routing"):
        model = SettingsFile.model_fields[name]
        keys = set(schema["properties"][model.alias or name]["properties"])
        annotation = next(part for part in (getattr(model.annotation, "__args__", None) or (model.annotation,)) if part is not None)
        assert keys == {field.alias or key for key, field in annotation.model_fields.items()}


def test_the_schema_knows_the_implementations_of_gateways_and_no_others():
    schema = json.loads((SOURCE / "values.schema.json").read_text())["properties"]["gatewayClasses"]
    assert [entry["enum"] for entry in schema["patternProperties"].values()] == [list(gateway_classes())]
    assert all(name in schema["description"] for name in gateway_classes())


@pytest.mark.parametrize("scope", [{"namespaces": ["team"]}, {"shardSelector": "shard=a"}], ids=["namespaces", "shard"])
def test_body_based_routers_are_managed_for_the_whole_cluster_or_not_at_all(scope):
    assert "cannot be combined with scope.namespaces" in refusal({**GATE, "bodyBasedRouting": {"mode": "managed"}, "scope": scope})
    render({**GATE, "bodyBasedRouting": {"mode": "off"}, "scope": scope})


@pytest.mark.parametrize("scope", [{"namespaces": ["team"]}, {"shardSelector": "shard=a"}], ids=["namespaces", "shard"])
def test_models_are_listed_for_the_whole_cluster_or_not_at_all(scope):
    assert "cannot be combined with scope.namespaces" in refusal({**GATE, "modelIndex": {"enabled": True}, "scope": scope})


def test_a_change_of_settings_starts_the_pods_anew():
    def checksum(values):
        return find(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]

    assert checksum({}) != checksum({"timeout": "10s"})
    assert checksum({}) == checksum({"replicas": 2})


def test_scope_and_election_are_options_of_the_process():
    values = {"scope": {"namespaces": ["a", "b"], "shardSelector": "shard in (x,y)"}}
    arguments = container_of(values)["args"]
    assert {"--namespace=a", "--namespace=b", "--shard-selector=shard in (x,y)", "--leader-elect"} <= set(arguments)
    assert "--leader-election-name=workspace-ctrl" in arguments


def test_a_digest_goes_before_the_tag():
    image = {"repository": "registry.example/workspace-ctrl", "tag": "v1"}
    assert container_of({"image": image})["image"] == "registry.example/workspace-ctrl:v1"
    digest = f"sha256:{'a' * 64}"
    assert container_of({"image": {**image, "digest": digest}})["image"] == f"registry.example/workspace-ctrl@{digest}"


LOGIN = {
    "proxy": {"https": "http://proxy.example:3128", "noProxy": ["registry.internal"]},
    "env": [{"name": "HELM_REGISTRY_CONFIG", "value": "/etc/registry/config.json"}],
    "volumes": [{"name": "login", "secret": {"secretName": "registry-login"}}],
    "volumeMounts": [{"name": "login", "mountPath": "/etc/registry", "readOnly": True}],
}


def test_variables_volumes_and_proxy_reach_the_container():
    pod = find(render(LOGIN), "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "$(KUBERNETES_SERVICE_HOST),.svc,.cluster.local,localhost,127.0.0.1,registry.internal",
        "HELM_REGISTRY_CONFIG": "/etc/registry/config.json",
    }
    assert LOGIN["volumes"][0] in pod["volumes"]
    assert LOGIN["volumeMounts"][0] in container["volumeMounts"]
    assert "env" not in find(render(), "Deployment")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("values", "path"),
    [({"proxy": {"noProxy": ["x"]}}, "proxy"), ({"proxy": {"https": "proxy:3128"}}, "https"), ({"env": [{"value": "x"}]}, "env")],
)
def test_wrong_ones_of_these_are_refused(values, path):
    assert path in refusal(values)


def test_a_proxy_of_all_requests_is_accepted_where_pods_reach_each_other_without_it():
    proxy = [{"name": "HTTP_PROXY", "value": "http://proxy"}, {"name": "NO_PROXY", "value": "10.0.0.0/8, localhost, .svc"}]
    assert parse_settings_file(settings_of({"modelServer": {"env": proxy}})).model_server.variables()


def notes(values):
    result = helm("install", "workspace-ctrl", str(chart()), "--dry-run=client", "--namespace", "system", values=values)
    assert not result.returncode, result.stderr
    return result.stdout.rpartition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "said", "unsaid"),
    [
        pytest.param(
            {},
            "WARNING: nodes do not pull localhost/workspace-ctrl:",
            "-- workspace-ctrl status --namespace",
            id="an image of this machine",
        ),
        pytest.param(
            {"image": {"repository": "registry.example/w"}}, "status --all-namespaces", "WARNING", id="an image of a registry"
        ),
        pytest.param({}, "have no condition GatewayReady", "helmreleases", id="the gate is off"),
        pytest.param(GATE, "reconciles all Workspaces", "no condition GatewayReady", id="the gate is on"),
        pytest.param({"scope": {"namespaces": ["a", "b"]}}, "status --namespace b", "all-namespaces", id="namespaces"),
        pytest.param(
            {"scope": {"namespaces": ["a"]}, "gatewayRemoval": True},
            "kubectl get helmreleases,ocirepositories --namespace a",
            "all-namespaces",
            id="removal in namespaces",
        ),
        pytest.param({}, "Serve a model", "port-forward", id="without the page"),
        pytest.param(
            {"ui": {"enabled": True}},
            "http://localhost:8000 after:\n  kubectl port-forward --namespace system service/workspace-ctrl-ui 8000\n",
            "tokens of users",
            id="the page",
        ),
        pytest.param(
            {"ui": {"enabled": True, "from": [{"podSelector": {}}]}},
            "WARNING: tokens of users go unencrypted from these pods to the page: set ui.certificateSecret.",
            "https://localhost",
            id="the page behind a proxy, by HTTP",
        ),
        pytest.param(
            {"ui": {"enabled": True, "certificateSecret": "tls"}, "networkPolicy": {"enabled": False}},
            "WARNING: tokens of users can be sent to the page by all pods, because networkPolicy.enabled is false.",
            "unencrypted",
            id="the page without a policy",
        ),
    ],
)
def test_notes_are_for_what_was_installed(values, said, unsaid):
    text = notes(values)
    assert said in text
    assert unsaid not in text


OFF = {"featureGates": {"gatewayAPIInferenceExtension": False}}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"autoscaling": {"enabled": True}}, "autoscaling.enabled scales by the load"),
        ({"bodyBasedRouting": {"mode": "managed"}}, "bodyBasedRouting.mode=managed makes routers for Gateways"),
        ({"chartCheck": {"enabled": True}}, "chartCheck.enabled checks the charts of endpoint pickers"),
        ({"modelIndex": {"enabled": True}}, "modelIndex.enabled lists the models on Gateways"),
    ],
)
def test_what_is_switched_on_needs_the_gateway_side(values, words):
    said = refusal(OFF | values)
    assert words in said
    assert "set featureGates.gatewayAPIInferenceExtension=true as well, or" in said
    removal = notes(OFF | values | {"gatewayRemoval": True})  # on the way to the gate off, they have no effect and do no harm
    assert "no effect" not in removal


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(
            {"gateway": {"namespace": "a", "name": "b"}, "probe": {"mode": "off"}, "rbac": {"kthena": True}},
            "gateway, probe, rbac.kthena have no effect: featureGates.gatewayAPIInferenceExtension is false.",
            id="the gate is off",
        ),
        pytest.param(
            {"probe": {"mode": "off", "interval": 5}, "bodyBasedRouting": {"values": {"bbr": {}}}},
            "probe, bodyBasedRouting have no effect: featureGates.gatewayAPIInferenceExtension is false.",
            id="the gate is off, and modes as well",
        ),
        pytest.param(
            {"probe": {"secret": {"namespace": "a", "name": "b"}}},
            "probe has no effect: featureGates.gatewayAPIInferenceExtension is false.",
            id="the gate is off, and a token would be for no Gateway",
        ),
        pytest.param(
            GATE | {"mode": "companion", "modelServer": {"updates": "Always"}, "autoscaling": {"enabled": True}},
            "modelServer, autoscaling have no effect: with mode=companion, KAITO makes and scales the model servers.",
            id="beside KAITO",
        ),
        pytest.param(
            {"scope": {"namespaces": ["team-a", "system", "kube-system"]}},
            "system in scope.namespaces, kube-system in scope.namespaces have no effect: the controller's policy refuses objects "
            "of Workspaces there (controllerPolicy.systemNamespaces, that of the release, kube-*).",
            id="namespaces of the release and of the cluster",
        ),
        pytest.param(
            GATE
            | {
                "scope": {"namespaces": ["team-a", "kube-system"], "gatewaysEverywhere": False},
                "gateway": {"namespace": "kube-system", "name": "g"},
            },
            "kube-system in scope.namespaces has no effect: the controller's policy refuses objects of Workspaces there "
            "(controllerPolicy.systemNamespaces, that of the release, kube-*), but Gateways there are seen.",
            id="a namespace that is there for its Gateway",
        ),
        pytest.param(
            {"scope": {"gatewaysEverywhere": False}},
            "scope.gatewaysEverywhere has no effect: scope.namespaces is empty.",
            id="a scope without namespaces",
        ),
        pytest.param(
            GATE
            | {
                "gatewayNamespaces": ["team-a", "edge"],
                "scope": {"namespaces": ["team-a"], "gatewaysEverywhere": False},
            },
            "edge in gatewayNamespaces has no effect: scope.gatewaysEverywhere=false shows only those in scope.namespaces.",
            id="a Gateway out of sight",
        ),
        pytest.param(
            {"rbac": {"create": False, "workloadKinds": [{"apiGroup": "x.io", "resource": "xs"}]}},
            "rbac.workloadKinds has no effect: rbac.create is false, so the chart grants no rights.",
            id="no rights",
        ),
        pytest.param(
            {"serviceAccount": {"create": False, "annotations": {"a": "b"}}},
            "serviceAccount.annotations has no effect: serviceAccount.create is false.",
            id="no ServiceAccount",
        ),
        pytest.param(
            {"proxy": {"https": "http://proxy:3128"}, "modelHub": {"url": "off"}},
            "proxy has no effect: only the Helm of chartCheck and modelHub use it, and both are off.",
            id="a proxy",
        ),
        pytest.param(
            GATE | {"bodyBasedRouting": {"values": {"bbr": {}}}},
            "bodyBasedRouting.values has no effect: bodyBasedRouting.mode is not managed.",
            id="a router that is off",
        ),
        pytest.param(
            GATE | {"probe": {"mode": "off", "interval": 5, "networks": ["127.0.0.0/8"]}},
            "probe.interval, probe.networks have no effect: probe.mode is off.",
            id="probes that are off",
        ),
        pytest.param(
            GATE | {"probe": {"tokenGateways": ["a/b"]}},
            "probe.tokenGateways has no effect: there is no probe.secret with a token or a client certificate, so statuses only quote the "
            "responses of these Gateways.",
            id="no token",
        ),
        pytest.param(
            GATE | {"probe": {"secret": {"namespace": "a", "name": "b"}}},
            "the token or client certificate of probe.secret has no effect: it is sent only to probe.tokenGateways, or else to gateway, "
            "and neither is set.",
            id="a token for no Gateway",
        ),
        pytest.param(
            {"timeout": "900s"},
            "timeout (but on how long pods of presets may take to end) has no effect: featureGates.gatewayAPIInferenceExtension is false.",
            id="the timeout of no route",
        ),
        pytest.param(
            GATE | {"gateway": {"namespace": "a", "name": "b"}, "gatewayNamespaces": ["a"]},
            "gatewayNamespaces (on the choice of a Gateway) has no effect: gateway is set.",
            id="namespaces beside a Gateway",
        ),
        pytest.param(
            GATE | {"chartCheck": {"helm": "/bin/helm"}},
            "chartCheck.helm has no effect: chartCheck.enabled is false.",
            id="a Helm that is not run",
        ),
        pytest.param(
            {"modelServer": {"disruptionBudget": {"enabled": False, "maxUnavailable": 2}}},
            "modelServer.disruptionBudget.maxUnavailable has no effect: modelServer.disruptionBudget.enabled is false.",
            id="no budgets",
        ),
        pytest.param(
            {"modelHub": {"url": False, "networks": ["127.0.0.0/8"]}},
            "modelHub.networks has no effect: modelHub.url is off.",
            id="no hub",
        ),
        pytest.param(
            {"autoscaling": {"prometheus": {"url": "http://prometheus:9090"}}},
            "autoscaling.prometheus has no effect: autoscaling.enabled is false.",
            id="no autoscaling",
        ),
        pytest.param(
            {"modelIndex": {"namespaces": ["a"]}},
            "modelIndex.namespaces has no effect: modelIndex.enabled is false.",
            id="no list of models",
        ),
        pytest.param(
            GATE | {"endpointPicker": {"replicas": 2, "values": {"inferenceExtension": {"replicas": 3}}}},
            "endpointPicker.replicas has no effect: endpointPicker.values.inferenceExtension.replicas decides.",
            id="replicas twice",
        ),
        pytest.param(
            GATE
            | {
                "endpointPicker": {
                    "resources": {"requests": {"cpu": 1, "memory": "1Gi"}},
                    "values": {"inferenceExtension": {"resources": {"limits": {"memory": "2Gi"}}}},
                }
            },
            "endpointPicker.resources.requests.memory has no effect: endpointPicker.values.inferenceExtension.resources decides about "
            "memory.",
            id="a quantity twice",
        ),
        pytest.param(
            GATE | {"endpointPicker": {"values": {"router": {"epp": {"replicas": 2}}}}},
            "endpointPicker.values.router has no effect: it belongs to the chart llm-d-router-gateway, which no source of chartSources "
            "has.",
            id="values of a chart that is no source",
        ),
        pytest.param(
            GATE | {"endpointPicker": {"allowedValues": ["inferenceExtenson.env"]}},
            "inferenceExtenson.env in endpointPicker.allowedValues has no effect: no key of that name is known of inferencepool, but "
            "experimentalHttpRoute, inferenceExtension, inferenceObjectives, inferencePool, istio, provider.",
            id="a misspelt key",
        ),
        pytest.param(
            {"admission": {"issuerRef": {"kind": "ClusterIssuer", "name": "x"}}},
            "admission.issuerRef has no effect: admission.certificates is not cert-manager.",
            id="an issuer that is not asked",
        ),
        pytest.param(
            {"admission": {"caBundle": "-----BEGIN CERTIFICATE-----"}},
            "admission.caBundle has no effect: admission.certificates is not existing.",
            id="certificates that are not used",
        ),
    ],
)
def test_notes_name_values_without_effect_and_why(values, said):
    text = notes(values)
    assert f"WARNING: {said}" in text
    assert text.count("no effect") == 1


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="none"),
        pytest.param(GATE, id="the gate is on"),
        pytest.param(
            GATE
            | {
                "gateway": {"namespace": "a", "name": "b"},
                "probe": {"secret": {"namespace": "a", "name": "b"}, "interval": 5},
                "chartCheck": {"enabled": True},
                "proxy": {"https": "http://proxy:3128"},
                "autoscaling": {"enabled": True},
                "bodyBasedRouting": {"mode": "managed", "values": {"bbr": {}}},
                "modelServer": {"updates": "Always"},
                "rbac": {"kthena": True},
                "chartSources": [{}, {"name": "llm-d", "url": "oci://r/llm-d-router-gateway", "version": "v0.10.0"}],
                "endpointPicker": {
                    "replicas": 2,
                    "resources": {"requests": {"cpu": 1}},
                    "values": {
                        "inferenceExtension": {"replicas": 3, "resources": {"requests": {"cpu": 2}}},
                        "router": {},
                        "global": {},
                    },
                    "allowedValues": ["inferenceExtension.env", "router.epp.env"],
                },
            },
            id="all with effect",
        ),
        pytest.param(
            GATE
            | {
                "chartSources": [{"url": "oci://r/fork", "layout": "inferencepool"}],
                "endpointPicker": {"values": {"ours": {"a": 1}}},
            },
            id="a key of a fork",
        ),
        pytest.param(SETTINGS | {"mode": "managed", "gatewayNamespaces": []}, id="every setting"),
        pytest.param(GATE | {"scope": {"namespaces": ["a"], "gatewaysEverywhere": False}}, id="a scope"),
        pytest.param({"mode": "companion", **GATE}, id="beside KAITO"),
    ],
)
def test_notes_name_no_values_that_have_an_effect(values):
    assert "no effect" not in notes(values)
