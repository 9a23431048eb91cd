"""The settings file: what it may say, what an option overrides, and what is answered to a wrong one."""

from dataclasses import replace
from ipaddress import ip_network

import click
import pytest
import yaml
from click.testing import CliRunner

from tests.unit.cli.test_cli import REPOSITORY
from workspace_ctrl.cli.installation_options import InstallationOptions, helm_of, hub_of, plan_settings, read_settings_file
from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.probe_options import ProbeOptions, probe_of
from workspace_ctrl.planning.plan_settings import (
    BODY_ROUTER_CHART,
    BodyRoutingSettings,
    ChartSource,
    GatewayChoice,
    PickerSettings,
    PlanSettings,
    Verification,
)
from workspace_ctrl.planning.preset.installed_environment import CertificateBundle
from workspace_ctrl.settings.process import DEFAULT_HUB, HubSettings, ProbeMode, ProbeSettings, SettingsError
from workspace_ctrl.settings.settings_file import parse_settings_file

QUICKSTART = str(REPOSITORY / "examples/quickstart/workspace.yaml")
DIGEST = "sha256:" + "a" * 64
FULL = f"""
featureGates: {{gatewayAPIInferenceExtension: true}}
gateway: {{namespace: gateways, name: public, sectionName: https}}
gatewayNamespaces: [gateways, models]
gatewayClasses: {{example.com/gateway-controller: istio}}
sharedPaths: [/models]
matchReportedNames: true
chartSources:
  - name: mirror
    url: oci://registry.example:5000/charts/inferencepool
    version: v1.5.0
    digest: {DIGEST}
    insecure: true
    secretRef: {{name: login}}
    certSecretRef: {{name: ca}}
    verify: {{provider: cosign, secretRef: {{name: keys}}}}
  - name: upstream
    allowedDigests: {{v1.4.0: {DIGEST}}}
  - {{name: fork, url: oci://registry.example/charts/fork, layout: inferencepool}}
endpointPicker:
  resources: {{requests: {{cpu: 1, memory: 1Gi}}}}
  replicas: 2
  values: {{inferenceExtension: {{flags: {{v: 2}}}}}}
  allowedValues: [inferenceExtension.env]
modelServer: {{image: registry.example/vllm:v1, localWeights: /opt/kaito/models}}
helmRelease: {{serviceAccountName: flux-tenant}}
restrictedFields: allow
timeout: 60s
"""


def settings_of(path, **options):
    nothing = dict.fromkeys(InstallationOptions.__annotations__)
    return plan_settings({**nothing, "config": path, **options})


@pytest.fixture
def written(tmp_path):
    """Write a settings file and return its path."""

    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_text(text)
        return path

    return write


def test_every_stanza_is_read(written):
    assert settings_of(written(FULL)) == PlanSettings(
        gateway_extension=True,
        gateway=GatewayChoice("gateways", "public", "https"),
        gateway_namespaces=("gateways", "models"),
        gateway_classes={"example.com/gateway-controller": "istio"},
        shared_paths=("/models",),
        match_reported_names=True,
        charts=(
            ChartSource(
                name="mirror",
                url="oci://registry.example:5000/charts/inferencepool",
                version="v1.5.0",
                digest=DIGEST,
                insecure=True,
                secret="login",
                cert_secret="ca",
                verification=Verification("cosign", "keys"),
            ),
            ChartSource(name="upstream", allowed_digests=(("v1.4.0", DIGEST),)),
            ChartSource(name="fork", url="oci://registry.example/charts/fork", layout="inferencepool"),
        ),
        picker=PickerSettings(
            resources={"requests": {"cpu": 1, "memory": "1Gi"}},
            replicas=2,
            values={"inferenceExtension": {"flags": {"v": 2}}},
            allowed_values=("inferenceExtension.env",),
        ),
        model_server_image="registry.example/vllm:v1",
        local_weights="/opt/kaito/models",
        body_routing=BodyRoutingSettings(service_account="flux-tenant"),
        flux_service_account="flux-tenant",
        restricted_fields=True,
        request_timeout="60s",
    )


def test_body_based_routers_are_set_by_the_file(written):
    text = "{mode: managed, chart: {url: oci://registry.example/body-based-routing, insecure: true}, values: {bbr: {replicas: 2}}}"
    found = settings_of(written(f"bodyBasedRouting: {text}"))
    chart = replace(BODY_ROUTER_CHART, url="oci://registry.example/body-based-routing", insecure=True)
    assert found.body_routing == BodyRoutingSettings(managed=True, chart=chart, values={"bbr": {"replicas": 2}})
    assert not found.manages_body_routers  # the gate is off
    assert settings_of(written("bodyBasedRouting: {mode: off}")).body_routing == BodyRoutingSettings()


@pytest.mark.parametrize("scope", [("--namespace", "team"), ("--shard-selector", "shard=a")])
def test_body_based_routers_need_a_process_that_sees_all_workspaces(written, scope):
    result = CliRunner().invoke(main, ["run", "--config", str(written("bodyBasedRouting: {mode: managed}")), *scope])
    assert result.exit_code == 2
    assert "cannot be combined with --namespace or --shard-selector" in " ".join(result.output.split())


def hub_settings(path, default="off", **options):
    return hub_of({**dict.fromkeys(InstallationOptions.__annotations__), "config": path, **options}, default)


def test_variables_and_certificates_of_presets_are_set_by_the_file(written):
    file = written("modelServer: {env: [{name: HF_ENDPOINT, value: 'https://hub.example'}], caBundle: {configMap: ca-bundle}}")
    settings = settings_of(file)
    assert settings.model_server_env == (("HF_ENDPOINT", "https://hub.example"),)
    assert settings.model_server_ca_bundle == CertificateBundle("ca-bundle", "ca.crt")


def test_the_model_hub_is_set_by_file_and_options(written):
    file, loopback = written("modelHub: {url: https://hub.example/mirror, networks: [127.0.0.0/8]}"), ip_network("127.0.0.0/8")
    assert hub_settings(file) == HubSettings("https://hub.example/mirror", (loopback,))
    assert hub_settings(file, model_hub="http://other.example") == HubSettings("http://other.example", (loopback,))
    assert hub_settings(file, model_hub_network=("::1/128",)) == HubSettings("https://hub.example/mirror", (ip_network("::1/128"),))
    assert settings_of(file).model_hub == "https://hub.example/mirror"


@pytest.mark.parametrize("text", ["modelHub: {url: off}", "modelHub: {url: 'off'}"])
def test_the_model_hub_can_be_off(written, text):
    assert hub_settings(written(text), DEFAULT_HUB) == HubSettings()


def test_the_default_hub_is_that_of_the_command(written):
    for file in (None, written("timeout: 5s")):
        assert hub_settings(file) == HubSettings()
        assert hub_settings(file, DEFAULT_HUB) == HubSettings("https://huggingface.co")
    assert hub_settings(written("modelHub: {}")) == HubSettings("https://huggingface.co")


def probe_settings(path, **options):
    return probe_of({**dict.fromkeys(ProbeOptions.__annotations__), **options}, read_settings_file(path).probe.settings())


def test_requests_through_gateways_are_set_by_file_and_options(written):
    file = written("probe: {mode: completion, interval: 5, secret: {namespace: models, name: login}}")
    assert probe_settings(file) == ProbeSettings(ProbeMode.COMPLETION, 5.0, ("models", "login"))
    assert probe_settings(file, probe="models", probe_interval=9.0) == ProbeSettings(ProbeMode.MODELS, 9.0, ("models", "login"))
    assert probe_settings(file, probe_secret="a/b").secret == ("a", "b")
    assert probe_settings(None) == ProbeSettings()


def test_what_probes_may_do_is_set_by_file_and_options(written):
    file = written("probe: {tokenGateways: [gateways/public], networks: [127.0.0.0/8]}")
    found = probe_settings(file)
    assert (found.token_gateways, found.networks) == ({"gateways/public"}, (ip_network("127.0.0.0/8"),))
    found = probe_settings(file, probe_token_gateway=("a/b", "c/d"), probe_network=("::1/128",))
    assert (found.token_gateways, found.networks) == ({"a/b", "c/d"}, (ip_network("::1/128"),))
    assert probe_settings(written("probe: {tokenGateways: []}")).token_gateways == frozenset()


@pytest.mark.parametrize("mode", ["off", '"off"'])
def test_off_is_no_boolean(written, mode):
    assert probe_settings(written(f"probe: {{mode: {mode}}}")).mode is ProbeMode.OFF


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "featureGates: {}"])
def test_an_empty_file_leaves_the_defaults(written, text):
    assert settings_of(written(text)) == settings_of(None) == PlanSettings(restricted_fields=False)


def test_options_go_before_the_file(written):
    changed = settings_of(
        written(FULL),
        feature_gates="gatewayAPIInferenceExtension=false",
        gateway="other/gateway",
        model_server_image="registry.example/vllm:v2",
    )
    assert (changed.gateway_extension, changed.gateway) == (False, GatewayChoice("other", "gateway"))
    assert changed.charts[1].name == "upstream"
    assert changed.model_server_image == "registry.example/vllm:v2"


def test_options_name_another_chart_than_the_file_where_that_is_not_pinned(written):
    file = written("chartSources: [{version: v1.4.0, secretRef: {name: login}}, {name: fork, layout: inferencepool}]")
    chart = settings_of(file, chart_url="oci://registry.example/inferencepool", chart_version="v1.5.0", chart_insecure=True).chart
    assert chart == ChartSource(url="oci://registry.example/inferencepool", version="v1.5.0", insecure=True, secret="login")


@pytest.mark.parametrize(
    ("source", "option", "value", "words"),
    [
        pytest.param(
            f"digest: {DIGEST}",
            "chart_version",
            "v1.4.0",
            "with --chart-version v1.4.0, digest of chartSources[0] in FILE would be lost, set for v1.5.0; "
            "set version and digest in the file instead",
            id="version of a digest",
        ),
        pytest.param(
            f"digest: {DIGEST}, layout: inferencepool",
            "chart_url",
            "oci://b/fork",
            "with --chart-url oci://b/fork, digest and layout of chartSources[0] in FILE would be lost, set for oci://a/fork; "
            "set url, digest and layout in the file instead",
            id="address of a digest",
        ),
        pytest.param(
            f"allowedDigests: {{v1.4.0: {DIGEST}}}, layout: inferencepool",
            "chart_url",
            "oci://b/fork",
            "with --chart-url oci://b/fork, allowedDigests and layout of chartSources[0] in FILE would be lost, set for oci://a/fork; "
            "set url, allowedDigests and layout in the file instead",
            id="address of digests that Workspaces choose",
        ),
    ],
)
def test_no_option_takes_a_pin_of_the_file_away(written, source, option, value, words):
    layout = "layout" in source
    file = written(f"chartSources: [{{url: oci://a/{'fork' if layout else 'inferencepool'}, {source}}}]")
    with pytest.raises(click.UsageError) as refusal:
        settings_of(file, **{option: value})
    assert str(refusal.value) == words.replace("FILE", str(file))


def test_an_option_that_repeats_the_file_leaves_its_pin(written):
    same = {"chart_url": "oci://registry.example:5000/charts/inferencepool", "chart_version": "v1.5.0"}
    assert settings_of(written(FULL), **same).chart == settings_of(written(FULL)).chart
    allowed = written(f"chartSources: [{{url: oci://a/fork, layout: inferencepool, allowedDigests: {{v1.5.0: {DIGEST}}}}}]")
    chart = settings_of(allowed, chart_version="v1.4.0").chart  # each of these digests is for a version of its own
    assert (chart.version, chart.layout, chart.allowed_digests) == ("v1.4.0", "inferencepool", (("v1.5.0", DIGEST),))


def test_a_fork_has_the_values_of_the_chart_that_it_names_and_names_of_its_own(written):
    fork = "chartSources: [{name: fork, url: 'oci://registry.example/charts/fork', layout: inferencepool}]"
    result = CliRunner().invoke(main, ["plan", "--config", str(written(fork)), "-f", QUICKSTART, "-o", "yaml"])
    assert result.exit_code == 0, result.output
    release = next(entry for entry in yaml.safe_load_all(result.stdout) if entry["kind"] == "HelmRelease")
    assert release["spec"]["releaseName"] == release["metadata"]["name"] == "workspace-phi-4-mini-fork"
    assert release["spec"]["values"]["inferencePool"]["targetPorts"] == [{"number": 5000}]
    route = next(entry for entry in yaml.safe_load_all(result.stdout) if entry["kind"] == "HTTPRoute")
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == "workspace-phi-4-mini-fork"


def test_helm_is_looked_for_only_where_charts_are_to_be_checked(written):
    assert helm_of(read_settings_file(written("chartCheck: {helm: no-such-helm}"))) == ""
    with pytest.raises(click.UsageError, match="chartCheck.helm: no-such-helm not found; use the image with helm"):
        helm_of(read_settings_file(written("chartCheck: {enabled: true, helm: no-such-helm}")))
    assert helm_of(read_settings_file(written("chartCheck: {enabled: true, helm: sh}"))).endswith("/sh")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("chartSources: [{url: 'oci://a/fork'}]", "chart fork v1.5.0 is not supported", id="fork"),
        pytest.param("chartSources: [{url: 'oci://a/b', layout: x}]", "chart x v1.5.0 is not supported", id="layout"),
        pytest.param("chartCheck: {enable: true}", "chartCheck.enable is not known; did you mean enabled?", id="check"),
        pytest.param("gatewy: {}", "gatewy is not known; did you mean gateway?", id="misspelt"),
        pytest.param("gateway: {name: a, namespace: b, listener: c}", "gateway.listener is not known; use one of", id="deeper"),
        pytest.param("chartSources: [{url: a, versoin: v1}]", "chartSources[0].versoin is not known; did you mean", id="in a list"),
        pytest.param("mode: [managed]", "mode must be one of managed, companion", id="list for a mode"),
        pytest.param("probe: {mode: {}}", "probe.mode must be one of off, models, completion", id="mapping for a mode"),
        pytest.param("probe: {mode: often}", "probe.mode must be one of off, models, completion", id="probe"),
        pytest.param("featureGates: {magic: true}", "featureGates.magic is not known", id="gate"),
        pytest.param(
            'featureGates: {gatewayAPIInferenceExtension: "yes"}', "it must be true or false, without quotes", id="text for a bool"
        ),
        pytest.param("gateway: infra/public", "gateway must be a mapping", id="text for a mapping"),
        pytest.param("gateway: {name: a}", "gateway.namespace is not valid: it is required", id="missing"),
        pytest.param("gateway: {name: A b, namespace: c}", "gateway.name must be the name of an object", id="name"),
        pytest.param("chartSources: []", "chartSources is not valid: it must not be empty", id="no source"),
        pytest.param("chartSources: [{}, {}]", "rename one of those called default", id="twice"),
        pytest.param("chartSources: [{url: 'https://a/b'}]", "chartSources[0].url must be a URL", id="scheme"),
        pytest.param("chartSources: [{url: 'oci://a/b:v1'}]", "without a tag, such as oci://", id="tag in the address"),
        pytest.param("chartSources: [{version: v9.0.0}]", "chart inferencepool v9.0.0 is not supported", id="version"),
        pytest.param(
            "probe: {tokenGateways: [public]}", "probe.tokenGateways[0] must be a Gateway as namespace/name", id="Gateway"
        ),
        pytest.param(
            "modelServer: {localWeights: /opt/../etc}",
            "modelServer.localWeights must be an absolute path without a trailing slash",
            id="folder",
        ),
        pytest.param("sharedPaths: [models]", "sharedPaths[0] must be a path without a trailing slash", id="path"),
        pytest.param("gatewayNamespaces: [A]", "gatewayNamespaces[0] must be the name of a namespace", id="namespace"),
        pytest.param(
            "gatewayClasses: {example.com/x: istoi}",
            'gatewayClasses["example.com/x"] is istoi, which is not known; did you mean istio?',
            id="implementation",
        ),
        pytest.param("gatewayClasses: {a/b: nothing-like-it}", "use one of istio,", id="far from any implementation"),
        pytest.param(
            "gatewayClasses: {istio-gie: istio}", "has the key istio-gie; use spec.controllerName of a GatewayClass", id="class"
        ),
        pytest.param("probe: {networks: [127.0.0.1/8]}", "probe.networks[0] must be a network, such as", id="network"),
        pytest.param("chartSources: [{digest: abc}]", "chartSources[0].digest must be sha256:", id="digest"),
        pytest.param(
            f"chartSources: [{{allowedDigests: {{v9.9.9: {DIGEST}}}}}]",
            "inferencepool v9.9.9 is not supported",
            id="allowed digest",
        ),
        pytest.param(
            f"chartSources: [{{digest: {DIGEST}, allowedDigests: {{v1.4.0: {DIGEST}}}}}]",
            "chartSources[0] has both digest and allowedDigests",
            id="digest that is pinned and to be chosen",
        ),
        pytest.param(
            "modelServer: {resources: {requests: {cpu: many}}}", "modelServer.resources has 'many' for cpu; use", id="quantity"
        ),
        pytest.param(
            "modelServer: {env: [{name: VLLM_API_KEY, value: x}]}",
            "modelServer env must not contain VLLM_API_KEY, which would be readable in every Deployment",
            id="reserved variable",
        ),
        pytest.param(
            "modelServer: {env: [{name: A, valueFrom: {}}]}",
            "modelServer.env[0].valueFrom is not known",
            id="reference of a variable",
        ),
        pytest.param(
            "modelServer: {env: [{name: A-B, value: x}]}", "env[0].name must be the name of an environment", id="variable"
        ),
        pytest.param("modelServer: {env: [{name: A, value: 1}]}", "in quotes if it looks like a number", id="value of a variable"),
        pytest.param("modelServer: {caBundle: {configMap: a, key: ../b}}", "caBundle.key must be a key of a ConfigMap", id="key"),
        pytest.param(
            "modelServer: {resources: {limits: {nvidia.com/gpu: 2}}}",
            "modelServer.resources must not name nvidia.com/gpu, which follows from the size of the model; remove it",
            id="GPUs",
        ),
        pytest.param("modelServer: {resources: {cpu: 1}}", "modelServer.resources must contain only requests", id="resources"),
        pytest.param(
            "endpointPicker: {resources: {request: {cpu: 1}}}",
            "endpointPicker.resources must contain only requests and limits",
            id="misspelt requests of endpoint pickers",
        ),
        pytest.param(
            "endpointPicker: {resources: {limits: {memory: 4GB}}}",
            "endpointPicker.resources has '4GB' for memory; use a quantity, such as 1Gi",
            id="quantity of endpoint pickers",
        ),
        pytest.param(
            "endpointPicker: {values: {inferenceExtension: {resources: {limits: {memory: 4GB}}}}}",
            "endpointPicker.values.inferenceExtension.resources has '4GB' for memory; use a quantity, such as 1Gi",
            id="quantity among the values of the chart",
        ),
        pytest.param("chartSources: [{verify: {provider: notation}}]", "verify needs secretRef with notation", id="keys"),
        pytest.param("endpointPicker: {replicas: 0}", "endpointPicker.replicas is not valid", id="replicas"),
        pytest.param("endpointPicker: {allowedValues: [a..b]}", "endpointPicker.allowedValues[0] must be a dotted path", id="path"),
        pytest.param(
            "endpointPicker: {allowedValues: [inferencePool.targetPorts]}",
            "which the controller sets",
            id="ports for Workspaces",
        ),
        pytest.param(
            "endpointPicker: {values: {inferencePool: {modelServers: {matchLabels: {a: b}}}}}",
            "endpointPicker.values.inferencePool.modelServers.matchLabels.a is set by the controller",
            id="selector",
        ),
        pytest.param(
            "endpointPicker: {values: {inferenceExtension: {image: {hub: registry.example}}}}",
            "endpointPicker.values.inferenceExtension.image.hub is not supported by this chart version; use",
            id="key of an older chart",
        ),
        pytest.param(
            "endpointPicker: {values: {inferenceExtension: {flags: {secure-serving: false}}}}",
            "sets secure-serving to False, which this chart passes as two arguments",
            id="boolean flag",
        ),
        pytest.param(
            "endpointPicker: {values: {inferenceExtension: {flags: [{name: v, value: 1}]}}}",
            "endpointPicker.values.inferenceExtension.flags must be a mapping",
            id="flags of an older chart",
        ),
        pytest.param(
            "endpointPicker: {values: {inferencePool: {modelServerType: sglang}}}",
            "makes the endpoint picker of this version fail at its start; remove it, and label the pods",
            id="engine",
        ),
        pytest.param("bodyBasedRouting: {mode: on}", "bodyBasedRouting.mode is not valid", id="body-based routing"),
        pytest.param(
            "bodyBasedRouting: {chart: {version: v1.4.0}}",
            "bodyBasedRouting.chart cannot be used: chart body-based-routing v1.4.0 is not supported",
            id="body-based router that reaches every proxy",
        ),
        pytest.param("timeout: 5 minutes", "timeout must be a duration, such as 300s", id="duration"),
        pytest.param("[1]", "must be a mapping", id="a list"),
        pytest.param("a: [", "is not YAML", id="no YAML"),
        pytest.param("a: 1\n---\nb: 2", "contains 2 documents; use one", id="two documents"),
    ],
)
def test_a_wrong_file_is_answered_with_path_and_remedy(written, text, words):
    result = CliRunner().invoke(main, ["plan", "-f", QUICKSTART, "--config", str(written(text))])
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert "settings.yaml: " in result.output
    assert words in result.output


@pytest.mark.parametrize(("name", "words"), [("missing.yaml", "No such file"), ("bytes", "not UTF-8 text")])
def test_a_file_that_cannot_be_read_is_said(tmp_path, name, words):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    result = CliRunner().invoke(main, ["run", "--config", str(tmp_path / name)])
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_plan_shows_what_the_file_decides(written):
    result = CliRunner().invoke(main, ["plan", "-f", QUICKSTART, "-o", "yaml", "--config", str(written(FULL))])
    kinds = {document["kind"]: document for document in yaml.safe_load_all(result.stdout)}
    assert kinds["HTTPRoute"]["spec"]["parentRefs"][0]["sectionName"] == "https"
    assert kinds["HTTPRoute"]["spec"]["rules"][0]["timeouts"] == {"request": "60s"}
    (container,) = kinds["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/vllm:v1"


def test_the_files_gate_holds_for_plan_too(written):
    off = written("featureGates: {gatewayAPIInferenceExtension: false}")
    result = CliRunner().invoke(main, ["plan", "-f", QUICKSTART, "-o", "yaml", "--config", str(off)])
    assert [document["kind"] for document in yaml.safe_load_all(result.output)] == ["Deployment", "Service"]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_help_names_every_stanza(command):
    text = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    for stanza in ("featureGates", "gateway", "chartSources", "endpointPicker", "modelServer", "timeout"):
        assert stanza in text


def test_when_pods_are_updated_is_read_and_another_word_refused():
    assert parse_settings_file("").model_server.updates == "OnSpecChange"
    assert parse_settings_file("modelServer: {updates: Always}").model_server.updates == "Always"
    with pytest.raises(SettingsError, match="OnSpecChange"):
        parse_settings_file("modelServer: {updates: Never}")
