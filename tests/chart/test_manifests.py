"""Manifests: the CRD as it is generated, versions, one Flux at most, and who is spread and protected."""

import base64
import json
import subprocess
import tomllib

import pytest
import yaml

from e2e.cluster.chart import SOURCE
from e2e.cluster.places import REPOSITORY
from tests.chart.helm import GATE, find, refusal, render
from workspace_ctrl.api.crd import KINDS, crd

FLUX = "flux2"


def kinds(manifests):
    return [each["kind"] for each in manifests]


@pytest.mark.parametrize("kind", KINDS)
def test_the_crds_are_the_generated_ones_and_outlive_the_release(kind):
    rendered = find(render(), "CustomResourceDefinition", f"{kind.lower()}s.kaito.sh")
    assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert rendered["metadata"].pop("labels")["app.kubernetes.io/name"] == "workspace-ctrl"
    assert rendered == crd(kind)
    deleted_with_it = find(render({"crds": {"keep": False}}), "CustomResourceDefinition", f"{kind.lower()}s.kaito.sh")
    assert "annotations" not in deleted_with_it["metadata"]
    assert "CustomResourceDefinition" not in kinds(render({"crds": {"install": False}}))


def test_chart_and_program_have_one_version():
    chart = yaml.safe_load((SOURCE / "Chart.yaml").read_text())
    program = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert {chart["version"], chart["appVersion"]} == {program}


def test_what_watches_the_controller_is_made_on_request():
    assert not {"ServiceMonitor", "PrometheusRule"} & set(kinds(render()))
    on = {"metrics": {each: {"enabled": True} for each in ("serviceMonitor", "prometheusRule", "dashboard")}}
    manifests = render(on)
    rules = find(manifests, "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert all({"alert", "expr", "labels", "annotations"} <= set(rule) for rule in rules)
    board = json.loads(find(manifests, "ConfigMap", "-dashboard")["data"]["workspace-ctrl.json"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    service = find(manifests, "Service", "-metrics")
    pod_labels = find(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for labels in (service["spec"]["selector"], find(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]):
        assert labels.items() <= pod_labels.items()
    assert find(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_charts_can_be_fetched_although_the_root_is_read_only():
    folder = {"name": "charts", "mountPath": "/tmp"}  # noqa: S108 - the container's own

    def pod(values):
        return find(render(values), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]

    checking = pod({**GATE, "chartCheck": {"enabled": True}})
    assert folder in checking["containers"][0]["volumeMounts"]
    assert {"name": "charts", "emptyDir": {"sizeLimit": "64Mi"}} in checking["volumes"]
    for values in ({}, {"chartCheck": {"enabled": False}}):
        assert folder not in pod(values)["containers"][0]["volumeMounts"]


DNS = [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("TCP", "UDP")]
"""OpenShift's DNS has the second port."""
ANY = [{"protocol": "TCP"}, *(each for each in DNS if each["protocol"] == "UDP")]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(GATE, id="canaries"),  # their model servers have any port
        pytest.param({"gatewayRemoval": True}, id="removal"),
        pytest.param({**GATE, "probe": {"mode": "completion"}, "chartCheck": {"enabled": True}}, id="Gateways and registries"),
        pytest.param({**GATE, "autoscaling": {"enabled": True}}, id="endpoint pickers"),
        pytest.param({**GATE, "mode": "companion"}, id="beside KAITO"),
    ],
)
def test_a_network_policy_leaves_the_way_to_all_that_the_gateway_side_connects_to(values):
    closed = {"networkPolicy": {"egress": True}, "probe": {"mode": "off"}, "modelHub": {"url": "off"}}
    api_server, others = find(render({**closed, **values}), "NetworkPolicy", "workspace-ctrl")["spec"]["egress"]
    assert api_server == {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}
    assert others == {"ports": ANY}


@pytest.mark.parametrize(
    ("hub", "port"),
    [
        pytest.param({}, 443, id="Hugging Face"),
        pytest.param({"url": "http://hub.models/mirror"}, 80, id="a mirror by HTTP"),
        pytest.param({"url": "https://hub.example:8443/a:1"}, 8443, id="with a port"),
        pytest.param({"url": "off"}, None, id="none"),
        pytest.param({"url": False}, None, id="none, as YAML reads it"),
    ],
)
def test_a_network_policy_opens_the_port_of_the_model_hub(hub, port):
    rules = find(render({"networkPolicy": {"egress": True}, "modelHub": hub}), "NetworkPolicy")["spec"]
    expected = [] if port is None else [{"ports": [{"port": port, "protocol": "TCP"}, *DNS]}]
    assert rules["egress"][1:] == expected


@pytest.mark.parametrize(("url", "ports"), [("http://proxy.example:3128", [443, 3128]), ("https://proxy.example/", [443])])
def test_it_opens_the_port_of_a_proxy_on_the_way_to_it(url, ports):
    rules = find(render({"networkPolicy": {"egress": True}, "proxy": {"https": url}}), "NetworkPolicy")["spec"]
    assert rules["egress"][1:] == [{"ports": [*({"port": port, "protocol": "TCP"} for port in ports), *DNS]}]


def test_only_the_metrics_and_the_webhook_accept_connections_unless_it_is_disabled():
    spec = find(render(), "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress"]  # an API server or a Gateway may be at any address and port
    assert "egress" not in spec
    metrics, admission = spec["ingress"]
    assert metrics["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert metrics["from"][0] == {"namespaceSelector": {}}
    assert admission == {"ports": [{"port": "admission", "protocol": "TCP"}]}
    named = {
        port["name"]
        for port in find(render(), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]["containers"][0]["ports"]
    }
    assert {"metrics", "admission"} <= named
    assert "NetworkPolicy" not in kinds(render({"networkPolicy": {"enabled": False}}))


REVIEWS = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]
SECURE = {"metrics": {"secure": {"enabled": True}, "serviceMonitor": {"enabled": True}}}


def test_secured_metrics_have_a_certificate_for_their_service_and_the_rights_to_ask_who_reads_them():
    manifests = render(SECURE)
    secret = find(manifests, "Secret", "-metrics-tls")
    monitor = find(manifests, "ServiceMonitor")["spec"]["endpoints"][0]
    certificate = base64.b64decode(secret["data"]["tls.crt"])
    assert secret["data"]["ca.crt"] == secret["data"]["tls.crt"]
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName"]
    names = subprocess.run(command, input=certificate, capture_output=True, check=True)
    assert f"DNS:{monitor['tlsConfig']['serverName']}," in names.stdout.decode()
    assert monitor["tlsConfig"]["serverName"].startswith(find(manifests, "Service", "-metrics")["metadata"]["name"] + ".")
    assert monitor["tlsConfig"]["ca"]["secret"] == {"name": secret["metadata"]["name"], "key": "ca.crt"}
    pod = find(manifests, "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]
    (folder,) = [arg.partition("=")[2] for arg in pod["containers"][0]["args"] if arg.startswith("--metrics-certificates=")]
    assert {"name": "metrics", "mountPath": folder, "readOnly": True} in pod["containers"][0]["volumeMounts"]
    assert {"name": "metrics", "secret": {"secretName": secret["metadata"]["name"], "optional": True}} in pod["volumes"]
    rules = find(manifests, "ClusterRole", "workspace-ctrl")["rules"]
    assert all(rule in rules for rule in REVIEWS)
    assert find(manifests, "ClusterRole", "-metrics")["rules"] == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        pytest.param({}, {"bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}, id="that of Prometheus"),
        pytest.param(
            {"name": "metrics-reader", "key": "token"},
            {"authorization": {"credentials": {"name": "metrics-reader", "key": "token"}}},
            id="of a Secret, where files are denied",
        ),
    ],
)
def test_prometheus_sends_one_token(credentials, sent):
    metrics = {"secure": {"enabled": True}, "serviceMonitor": {"enabled": True, "credentials": credentials}}
    (endpoint,) = find(render({"metrics": metrics}), "ServiceMonitor")["spec"]["endpoints"]
    assert {key: value for key, value in endpoint.items() if key in {"bearerTokenFile", "authorization"}} == sent


def test_half_of_a_reference_to_a_token_is_refused():
    assert "'key' required, if 'name' exists" in refusal(
        {"metrics": {"serviceMonitor": {"credentials": {"name": "metrics-reader"}}}}
    )


def test_a_label_that_prometheus_cannot_have_is_refused():
    assert "'a-b' does not match" in refusal({"metrics": {"prometheusRule": {"matchLabels": {"a-b": "c"}}}})


def test_without_it_no_right_of_it_is_given_and_a_secret_of_one_s_own_is_taken():
    manifests = render({"metrics": {"serviceMonitor": {"enabled": True}}})
    assert not any(rule in find(manifests, "ClusterRole", "workspace-ctrl")["rules"] for rule in REVIEWS)
    assert find(manifests, "ServiceMonitor")["spec"]["endpoints"] == [{"port": "metrics", "interval": "30s"}]
    manifests = render({"metrics": {"secure": {"enabled": True, "secret": "mine"}}})
    pod = find(manifests, "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]
    assert {"name": "metrics", "secret": {"secretName": "mine", "optional": True}} in pod["volumes"]
    assert not any(each["kind"] == "Secret" and "metrics" in each["metadata"]["name"] for each in manifests)


def test_several_replicas_are_spread_and_drained_one_by_one():
    assert "PodDisruptionBudget" not in kinds(render())  # with one replica it would only hold up a drain
    manifests = render({"replicas": 2})
    assert find(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    spread = find(manifests, "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [constraint["topologyKey"] for constraint in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_pods_that_are_not_ready_never_block_a_drain():
    manifests = render({**GATE, "flux2": {"enabled": False}, "replicas": 2, "modelIndex": {"enabled": True, "replicas": 2}})
    budgets = {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == "PodDisruptionBudget"}
    assert set(budgets) == {"workspace-ctrl", "workspace-ctrl-models"}
    assert {spec.get("unhealthyPodEvictionPolicy") for spec in budgets.values()} == {"AlwaysAllow"}


def test_what_selects_the_controller_s_pods_selects_no_others():
    manifests = render({"replicas": 2, "networkPolicy": {"enabled": True}})
    others = [find(manifests, "Pod"), find(manifests, "Job")["spec"]["template"]]
    policy, budget = (find(manifests, kind)["spec"] for kind in ("NetworkPolicy", "PodDisruptionBudget"))
    selectors = [
        find(manifests, "Service", "-metrics")["spec"]["selector"],
        find(manifests, "Service", "-admission")["spec"]["selector"],
        policy["podSelector"]["matchLabels"],
        budget["selector"]["matchLabels"],
    ]
    pod_labels = find(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in selectors:
        assert selector.items() <= pod_labels.items()
        assert not any(selector.items() <= other["metadata"]["labels"].items() for other in others)


@pytest.mark.parametrize(
    ("values", "installed"),
    [
        pytest.param({}, False, id="gate off"),
        pytest.param(GATE, True, id="gate on"),
        pytest.param({**GATE, FLUX: {"enabled": False}}, False, id="Flux is there already"),
        pytest.param({"gatewayRemoval": True}, True, id="while the gate's objects are removed"),
        pytest.param({"gatewayRemoval": True, FLUX: {"enabled": False}}, False, id="the same with another Flux"),
        pytest.param({"gatewayRemoval": False}, False, id="gate off, and nothing to remove"),
        pytest.param({**GATE, "gatewayRemoval": None}, True, id="a value that has been taken back"),
        pytest.param({**GATE, "gatewayRemoval": False, FLUX: {"enabled": True}}, True, id="gate on, and Flux chosen"),
        pytest.param({**GATE, "gatewayRemoval": False, FLUX: {"enabled": False}}, False, id="gate on, and another Flux"),
    ],
)
def test_flux_comes_with_the_gate_unless_there_is_one(values, installed):
    deployments = {each["metadata"]["name"] for each in render(values) if each["kind"] == "Deployment"}
    assert deployments == {"workspace-ctrl"} | ({"helm-controller", "source-controller"} if installed else set())


def test_flux_s_kinds_outlive_the_release():
    flux = [each for each in render(GATE) if each["metadata"]["name"].endswith("toolkit.fluxcd.io")]
    assert flux
    assert all(each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for each in flux)


def test_of_flux_only_what_is_needed_is_asked_for():
    values = yaml.safe_load((SOURCE / "values.yaml").read_text())[FLUX]
    switched = {key: part["create"] for key, part in values.items() if isinstance(part, dict) and "create" in part}
    assert {key for key, on in switched.items() if on} == {"helmController", "sourceController"}
    assert switched["policies"] is False  # they would select every pod of the release's namespace
    assert len(switched) == 7


def test_no_two_objects_have_one_name():
    named = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in render(GATE)]
    assert len(named) == len(set(named))


def test_loads_are_served_to_keda_only_where_autoscaling_reads_them_there():
    def of(**autoscaling):
        manifests = render({**GATE, "autoscaling": autoscaling})
        services = [each for each in manifests if each["kind"] == "Service" and each["metadata"]["name"].endswith("-load")]
        (container,) = find(manifests, "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]["containers"]
        policy = find(manifests, "NetworkPolicy", "workspace-ctrl")["spec"]
        ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        return len(services), "--load-port=8090" in container["args"], "load" in ports

    assert of(enabled=True) == (1, True, True)
    assert of(enabled=False) == (0, False, False)
    assert of(enabled=True, prometheus={"url": "http://prometheus.example"}) == (0, False, False)


INDEX = {**GATE, "modelIndex": {"enabled": True}}


def test_the_list_of_models_has_a_deployment_of_its_own_that_may_only_read():
    manifests = render(INDEX)
    name = "workspace-ctrl-models"
    deployment = find(manifests, "Deployment", name)["spec"]
    pod, labels = deployment["template"]["spec"], deployment["template"]["metadata"]["labels"]
    (container,) = pod["containers"]
    assert container["args"][0] == "model-index"
    assert container["resources"] == {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
    assert pod["serviceAccountName"] == find(manifests, "ServiceAccount", name)["metadata"]["name"] == name
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    roles = find(manifests, "ClusterRole", name), find(manifests, "Role", name)
    assert {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    service, policy = find(manifests, "Service", name)["spec"], find(manifests, "NetworkPolicy", name)["spec"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}], "from": [{"namespaceSelector": {}}]}]
    for selector in (service["selector"], policy["podSelector"]["matchLabels"], deployment["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    # By its name, the controller's Deployment is found.
    assert find(manifests, "Deployment", name)["metadata"]["labels"]["app.kubernetes.io/name"] == name
    controller = find(manifests, "Deployment", "workspace-ctrl")["spec"]
    assert not controller["selector"]["matchLabels"].items() <= labels.items()
    assert not service["selector"].items() <= controller["template"]["metadata"]["labels"].items()


def test_the_pods_of_the_list_open_connections_to_the_api_server_only():
    policy = find(render({**INDEX, "networkPolicy": {"egress": True, "modelIndexFrom": []}}), "NetworkPolicy", "-models")["spec"]
    assert policy["egress"] == [{"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    "values", [{}, GATE, {"gatewayRemoval": True, "modelIndex": {"enabled": True}}], ids=["gate off", "gate on", "removal"]
)
def test_without_the_list_of_models_nothing_of_it_is_left(values):
    assert not [each for each in render(values) if each["metadata"]["name"].endswith("-models")]


def test_several_pods_of_the_list_are_drained_one_by_one():
    assert "PodDisruptionBudget" not in kinds(render(INDEX))
    budget = find(render({**GATE, "modelIndex": {"enabled": True, "replicas": 2}}), "PodDisruptionBudget", "-models")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"]["app.kubernetes.io/name"] == "workspace-ctrl-models"
