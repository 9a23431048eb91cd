"""Models chosen by the body of a request, through a router that comes and goes with the Workspaces of its Gateway."""

import json
import secrets
import subprocess
from collections import Counter
from http import HTTPStatus

import pytest
import yaml

from e2e import workspaces
from e2e.chat import chat, fetch
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until

ROUTER = "inference-gateway-body-router"
PRESETS = {"one": "phi-4-mini-instruct", "two": "phi-4"}
_SAMPLE = """
import http.client, sys, time
while True:
    try:
        connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
        connection.request("GET", sys.argv[2])
        print(connection.getresponse().status, flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def gateways(serving_cluster):
    """A namespace with a Gateway, apart from the Workspaces."""
    name = f"gateways-{secrets.token_hex(4)}"
    serving_cluster.kubectl("create", "namespace", name)
    with workspaces.programmed_gateway(serving_cluster, name):
        yield name
    serving_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def managed(serving_cluster, tmp_path):
    """Options of a controller that manages routers and tries requests every second."""
    chart = {"url": serving_cluster.chart_source_url("body-based-routing"), "insecure": True}
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"bodyBasedRouting": {"mode": "managed", "chart": chart}}))
    return ("--config", str(path), "--probe", "models", "--probe-interval", "1")


def served(name, gateways, **match):
    spec = {**workspaces.behind("inference-gateway", gateways), "match": match}
    return workspaces.workspace(name, inference={"preset": {"name": PRESETS[name]}}, gateway=spec)


def wait_by_body(cluster, namespace, name, expected):
    path = f"--for=jsonpath={{.status.gateway.bodyBasedRouting}}={expected}"
    cluster.kubectl("wait", f"workspace/{name}", "-n", namespace, path, KUBECTL_TIMEOUT)


class Sampler:
    """Asks for a path of a Gateway all the time and counts what is answered."""

    def __init__(self, cluster, host, path):
        self._process = cluster.popen(["python3", "-c", _SAMPLE, host, path], stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self._process.terminate()
        return Counter(self._process.communicate(timeout=WAIT_SECONDS)[0].split())


def test_two_models_on_one_gateway_are_reached_by_path_by_header_and_by_body(serving_cluster, namespace, gateways, managed):
    cluster = serving_cluster
    url = f"http://inference-gateway-istio.{gateways}.svc.cluster.local"
    with ControllerProcess(cluster, *managed, inside=True):
        workspaces.apply(cluster, namespace, *(served(name, gateways, header=True) for name in PRESETS))
        for name, preset in PRESETS.items():
            workspaces.wait_ready(cluster, namespace, name, "Ready")
            workspaces.wait_ready(cluster, namespace, name, "BodyRoutingReady")
            wait_by_body(cluster, namespace, name, "true")
            by_path = chat(cluster, f"{url}/{namespace}/{name}", preset, "hello")
            by_body = chat(cluster, url, preset, "hello")
            for answer in (by_path, by_body):
                assert (answer.status, answer.pod.rsplit("-", 2)[0]) == (HTTPStatus.OK, name), answer
            # No body, so it is the header that counts.
            assert model_by_header(cluster, url, preset) == [preset]
        assert chat(cluster, url, "gpt", "hello").status == HTTPStatus.NOT_FOUND
        assert fetch(cluster, f"{url}/v1/models").status == HTTPStatus.NOT_FOUND
        assert len(workspaces.items(cluster, gateways, "helmrelease")) == 1


def model_by_header(cluster, url, model):
    command = ["curl", "--silent", "--show-error", "-H", f"X-Gateway-Model-Name: {model}", f"{url}/v1/models"]
    answer = cluster.run(command)
    assert answer.returncode == 0, answer.stderr
    return [entry["id"] for entry in json.loads(answer.stdout)["data"]]


def test_no_request_is_lost_while_it_comes_and_a_router_that_is_down_is_told(serving_cluster, namespace, gateways, managed):
    cluster = serving_cluster
    host = f"inference-gateway-istio.{gateways}.svc.cluster.local"
    with ControllerProcess(cluster, *managed, inside=True):
        workspaces.apply(cluster, namespace, served("one", gateways))
        workspaces.wait_ready(cluster, namespace, "one", "Ready")
        with Sampler(cluster, host, f"/{namespace}/one/v1/models") as coming:
            workspaces.apply(cluster, namespace, served("two", gateways, header=True))
            workspaces.wait_ready(cluster, namespace, "two", "Ready")
            workspaces.wait_ready(cluster, namespace, "two", "BodyRoutingReady")
            wait_by_body(cluster, namespace, "two", "true")
            query_results = coming.stop()
        print("while the router comes:", dict(query_results))
        assert set(query_results) == {"200"}
        # Drift detection leaves the number of replicas to others, so this lasts.
        cluster.kubectl("scale", f"deployment/{ROUTER}", "-n", gateways, "--replicas=0", actor="user")
        for name in PRESETS:
            workspaces.wait_reason(cluster, namespace, name, "GatewayReady", "BodyRouterNotReady")
        by_path = f"http://{host}/{namespace}/one/v1/models"
        # A pod that ends goes on to serve for a moment.
        until(lambda: fetch(cluster, by_path).status == HTTPStatus.INTERNAL_SERVER_ERROR, "requests to fail without the router")
        cluster.kubectl("scale", f"deployment/{ROUTER}", "-n", gateways, "--replicas=1", actor="user")
        for name in PRESETS:
            workspaces.wait_ready(cluster, namespace, name, "Ready")
        with Sampler(cluster, host, f"/{namespace}/one/v1/models") as going:
            cluster.kubectl("delete", "workspace", "two", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
            workspaces.wait_gone(cluster, gateways, "deployment", ROUTER)
            until(lambda: fetch(cluster, by_path).status == HTTPStatus.OK, "an answer by path")
            print("while the router goes:", dict(going.stop()))
        workspaces.wait_ready(cluster, namespace, "one", "Ready")
