"""Admission: who is asked about which Workspaces, by which certificate, and that nothing waits for it."""

import base64
import subprocess

import pytest

from tests.chart.helm import NAMESPACE, find, refusal, render

HOST = f"workspace-ctrl-admission.{NAMESPACE}.svc"
KIND = "ValidatingWebhookConfiguration"
PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def webhook(values=None):
    (found,) = find(render(values), KIND)["webhooks"]
    return found


def controller(values=None):
    return find(render(values), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]


def test_only_workspaces_that_are_written_by_others_and_stay_are_asked_about_and_nobody_waits_long():
    assert {key: value for key, value in webhook().items() if key != "clientConfig"} == {
        "name": "workspaces.kaito.sh",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "timeoutSeconds": 2,
        "matchPolicy": "Equivalent",
        "rules": [
            {
                "apiGroups": ["kaito.sh"],
                "apiVersions": ["v1beta1", "v1alpha1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["workspaces", "inferencesets"],
                "scope": "Namespaced",
            }
        ],
        "matchConditions": [
            {
                "name": "not-the-controller-itself",
                "expression": f'request.userInfo.username != "system:serviceaccount:{NAMESPACE}:workspace-ctrl"',
            },
            {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
        ],
    }


def test_the_scope_of_the_release_is_that_of_the_question():
    found = webhook(
        {"scope": {"namespaces": ["a", "b"], "shardSelector": "shard in (x, y),!paused , tier!=z,on,team = blue,zone notin (q)"}}
    )
    assert found["namespaceSelector"] == {
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}]
    }
    assert found["objectSelector"]["matchExpressions"] == [
        {"key": "shard", "operator": "In", "values": ["x", "y"]},
        {"key": "paused", "operator": "DoesNotExist"},
        {"key": "tier", "operator": "NotIn", "values": ["z"]},
        {"key": "on", "operator": "Exists"},
        {"key": "team", "operator": "In", "values": ["blue"]},
        {"key": "zone", "operator": "NotIn", "values": ["q"]},
    ]


def test_the_question_comes_to_the_pods_by_their_service():
    manifests = render()
    service, pod = find(manifests, "Service", "-admission"), find(manifests, "Deployment", "workspace-ctrl")["spec"]["template"]
    client = find(manifests, KIND)["webhooks"][0]["clientConfig"]["service"]
    assert (client["namespace"], client["name"]) == (NAMESPACE, service["metadata"]["name"])
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (port,) = service["spec"]["ports"]
    assert (client["port"], ports[port["targetPort"]]) == (port["port"], 9443)
    assert f"--admission-port={ports['admission']}" in container["args"]


def test_the_certificate_is_for_the_service_and_trusted_by_the_question(tmp_path):
    manifests = render()
    client = find(manifests, KIND)["webhooks"][0]["clientConfig"]
    for name, text in (("ca", client["caBundle"]), ("crt", find(manifests, "Secret", "-admission")["data"]["tls.crt"])):
        (tmp_path / name).write_bytes(base64.b64decode(text))
    command = ["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", HOST, "-CAfile", tmp_path / "ca", tmp_path / "crt"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.endswith(": OK\n"), result.stderr


def test_a_secret_that_is_not_there_yet_holds_up_no_pod():
    volumes = {volume["name"]: volume for volume in controller()["volumes"]}
    assert volumes["admission"]["secret"] == {"secretName": "workspace-ctrl-admission", "optional": True}
    (container,) = controller()["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"--admission-certificates={mounted['admission']}" in container["args"]


@pytest.mark.parametrize(
    ("issuer", "kinds"), [({}, {"Issuer", "Certificate"}), ({"kind": "ClusterIssuer", "name": "all"}, {"Certificate"})]
)
def test_cert_manager_makes_it_and_says_who_trusts_it(issuer, kinds):
    manifests = render({"admission": {"certificates": "cert-manager", "issuerRef": issuer}})
    assert {each["kind"] for each in manifests if each["apiVersion"].startswith("cert-manager.io/")} == kinds
    certificate = find(manifests, "Certificate")
    assert (
        certificate["spec"]["secretName"]
        == find(manifests, "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]["volumes"][1]["secret"]["secretName"]
    )
    assert HOST in certificate["spec"]["dnsNames"]
    assert certificate["spec"]["issuerRef"] == (issuer or {"kind": "Issuer", "name": "workspace-ctrl-admission"})
    configuration = find(manifests, KIND)
    assert configuration["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/workspace-ctrl-admission"}
    assert "caBundle" not in configuration["webhooks"][0]["clientConfig"]
    assert "Secret" not in {each["kind"] for each in manifests}


def test_a_secret_of_one_s_own_comes_with_its_authority():
    values = {"admission": {"certificates": "existing", "secret": "mine", "caBundle": PEM}}
    assert base64.b64decode(webhook(values)["clientConfig"]["caBundle"]).decode() == PEM
    assert {"name": "admission", "secret": {"secretName": "mine", "optional": True}} in controller(values)["volumes"]
    assert "needs admission.secret" in refusal({"admission": {"certificates": "existing", "secret": "mine"}})


def test_without_it_nothing_of_it_is_left():
    manifests = render({"admission": {"enabled": False}, "networkPolicy": {"enabled": True}})
    kinds = {each["kind"] for each in manifests}
    assert not {KIND, "Secret"} & kinds
    assert "admission" not in str([each for each in manifests if each["kind"] in {"Deployment", "Service", "NetworkPolicy"}])


def test_a_network_policy_lets_the_api_server_in():
    ingress = find(render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]["ingress"]
    assert {"ports": [{"port": "admission", "protocol": "TCP"}]} in ingress
    sources = [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    narrow = find(render({"networkPolicy": {"enabled": True, "admissionFrom": sources}}), "NetworkPolicy")["spec"]["ingress"]
    assert {"ports": [{"port": "admission", "protocol": "TCP"}], "from": sources} in narrow


def test_no_right_to_webhooks_or_secrets_comes_with_it():
    roles = [each for each in render() if each["kind"] in {"Role", "ClusterRole"}]
    assert not {"secrets", "validatingwebhookconfigurations"} & {
        resource for role in roles for rule in role["rules"] for resource in rule["resources"]
    }
