"""Gateways and routes for real: by path, by header, over TLS; and faults that no status shows."""

import json
import subprocess
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.cluster.images import VLLM_IMAGE
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

PROBING = ("--probe", "models", "--probe-interval", "1")
HOSTNAME = "models.example.com"
_ASK = """
import http.client, json, ssl, sys
scheme, address, hostname, path, headers = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], json.loads(sys.argv[5])
if scheme == "https":
    context = ssl._create_unverified_context()
    plain = http.client.HTTPSConnection(address, timeout=30, context=context)
    plain.sock = context.wrap_socket(__import__("socket").create_connection((address, 443), 30), server_hostname=hostname)
else:
    plain = http.client.HTTPConnection(address, timeout=30)
plain.request("GET", path, headers={"Host": hostname, **headers})
answer = plain.getresponse()
print(json.dumps([answer.status, answer.read().decode(errors="replace")]))
"""


def ask(cluster, address, path, *, scheme="http", hostname=None, **headers):
    """Ask a Gateway from inside the cluster; return status and text."""
    arguments = [
        scheme,
        address,
        hostname or address,
        path,
        json.dumps({key.replace("_", "-"): value for key, value in headers.items()}),
    ]
    result = cluster.run(["python3", "-c", _ASK, *arguments])
    assert result.returncode == 0, result.stderr
    return tuple(json.loads(result.stdout))


def models_in(answer):
    status, text = answer
    assert status == HTTPStatus.OK, text
    return [entry["id"] for entry in json.loads(text)["data"]]


@pytest.fixture
def gateway(serving_cluster, namespace):
    """A Gateway with a plain listener for all, and its address."""
    with workspaces.programmed_gateway(serving_cluster, namespace):
        yield f"inference-gateway-istio.{namespace}.svc.cluster.local"


def last_probe(cluster, namespace, name):
    return workspaces.get(cluster, namespace, "workspace", name)["status"]["gateway"]["lastProbe"]


def test_two_models_on_one_gateway_are_reached_by_path_and_by_header(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    behind = {**workspaces.behind("inference-gateway", namespace), "match": {"header": True}}
    presets = {"one": "phi-4-mini-instruct", "two": "phi-4"}
    documents = [
        workspaces.workspace(name, inference={"preset": {"name": preset}}, gateway=behind) for name, preset in presets.items()
    ]
    with ControllerProcess(cluster, *PROBING, inside=True):
        workspaces.apply(cluster, namespace, *documents)
        for name, preset in presets.items():
            workspaces.wait_ready(cluster, namespace, name, "Ready")
            assert models_in(ask(cluster, gateway, f"/{namespace}/{name}/v1/models")) == [preset]
            assert models_in(ask(cluster, gateway, "/v1/models", X_Gateway_Model_Name=preset)) == [preset]
            assert (last_probe(cluster, namespace, name)["outcome"], last_probe(cluster, namespace, name)["code"]) == (
                "Answered",
                200,
            )
            # Nothing in front of this Gateway reads bodies, and the status says so.
            path = "--for=jsonpath={.status.gateway.bodyBasedRouting}=false"
            cluster.kubectl("wait", f"workspace/{name}", "-n", namespace, path, KUBECTL_TIMEOUT)
        assert ask(cluster, gateway, "/v1/models")[0] == HTTPStatus.NOT_FOUND
        assert ask(cluster, gateway, "/v1/models", X_Gateway_Model_Name="gpt")[0] == HTTPStatus.NOT_FOUND
        assert ask(cluster, gateway, f"/{namespace}/three/v1/models")[0] == HTTPStatus.NOT_FOUND


@pytest.fixture
def certificate(tmp_path):
    """Paths of a certificate that signs itself, and of its key."""
    paths = tmp_path / "tls.crt", tmp_path / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test"]
    files = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run([*command, *files, "-addext", f"subjectAltName=DNS:{HOSTNAME}"], check=True, capture_output=True)
    return paths


def test_a_tls_listener_for_its_own_namespace_is_probed_by_its_host_name(serving_cluster, namespace, certificate):
    cluster = serving_cluster
    door = workspaces.gateway("secure")
    tls = {"mode": "Terminate", "certificateRefs": [{"name": "door"}]}
    door["spec"]["listeners"] = [{"name": "https", "protocol": "HTTPS", "port": 443, "hostname": HOSTNAME, "tls": tls}]
    cluster.kubectl("create", "secret", "tls", "door", "-n", namespace, f"--cert={certificate[0]}", f"--key={certificate[1]}")
    cluster.kubectl("create", "secret", "generic", "probe", "-n", namespace, f"--from-file=ca.crt={certificate[0]}")
    workspaces.apply(cluster, namespace, door)
    secure = {"parentRefs": [{"name": "secure", "sectionName": "https"}]}
    with ControllerProcess(cluster, *PROBING, "--probe-secret", f"{namespace}/probe", inside=True):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=secure))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        status = workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]
        assert status["url"] == f"https://{HOSTNAME}/{namespace}/phi"
        assert status["lastProbe"]["outcome"] == "Answered"
        address = f"secure-istio.{namespace}.svc.cluster.local"
        answer = ask(cluster, address, f"/{namespace}/phi/v1/models", scheme="https", hostname=HOSTNAME)
        assert models_in(answer) == ["phi-4-mini-instruct"]
    cluster.kubectl("delete", "gateway", "secure", "-n", namespace)


def fault(gateway):
    """An Istio object by which the Gateway's proxy answers every request with 503, while every status says that all is well."""
    abort = {"http_status": 503, "percentage": {"numerator": 100, "denominator": "HUNDRED"}}
    filter_ = {
        "name": "envoy.filters.http.fault",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", "abort": abort},
    }
    manager = {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}
    patch = {"operation": "INSERT_FIRST", "value": filter_}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "broken"},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway}],
            "configPatches": [{"applyTo": "HTTP_FILTER", "match": {"context": "GATEWAY", "listener": manager}, "patch": patch}],
        },
    }


def test_a_gateway_that_answers_with_errors_is_noticed_though_every_status_says_that_all_is_well(
    serving_cluster, namespace, gateway
):
    cluster = serving_cluster
    document = workspaces.workspace("phi", gateway=workspaces.behind("inference-gateway", namespace))
    quoted = ("--probe-token-gateway", f"{namespace}/inference-gateway")
    with ControllerProcess(cluster, *PROBING, *quoted, inside=True):
        workspaces.apply(cluster, namespace, document)
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        workspaces.apply(cluster, namespace, fault("inference-gateway"))
        path = "--for=jsonpath={.status.gateway.lastProbe.code}=503"
        cluster.kubectl("wait", "workspace/phi", "-n", namespace, path, KUBECTL_TIMEOUT)
        found = workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", "ProbeFailed")
        assert f"/{namespace}/phi/v1/models returned 503: fault filter abort" in found["message"]
        assert workspaces.condition(cluster, namespace, "phi", "RouteReady")["status"] == "True"
        assert (last_probe(cluster, namespace, "phi")["outcome"], last_probe(cluster, namespace, "phi")["code"]) == ("Failed", 503)
        cluster.kubectl("delete", "envoyfilter", "broken", "-n", namespace, actor="admin")
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def test_the_server_s_own_name_is_learnt_and_routed(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    container = {
        "name": "server",
        "image": VLLM_IMAGE,
        "command": ["vllm", "serve", "tiny-llama", "--port=5000"],
        "ports": [{"name": "http", "containerPort": 5000}],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 5000}, "periodSeconds": 1},
    }
    spec = {**workspaces.behind("inference-gateway", namespace), "match": {"header": True}}
    document = workspaces.workspace("mine", inference={"template": {"spec": {"containers": [container]}}}, gateway=spec)
    with ControllerProcess(cluster, *PROBING, "--match-reported-names", inside=True):
        workspaces.apply(cluster, namespace, document)
        path = "--for=jsonpath={.status.gateway.modelNames[0]}=tiny-llama"
        cluster.kubectl("wait", "workspace/mine", "-n", namespace, path, KUBECTL_TIMEOUT)
        workspaces.wait_ready(cluster, namespace, "mine", "Ready")

        def by_name():
            return ask(cluster, gateway, "/v1/models", X_Gateway_Model_Name="tiny-llama")

        # Requests are tried by path, so no status tells when the proxy has the new name.
        until(lambda: by_name()[0] == HTTPStatus.OK, "the name to be routed")
        assert models_in(by_name()) == ["tiny-llama"]
