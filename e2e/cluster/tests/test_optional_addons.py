"""Gateways that are not in every cluster: each carries a request to an engine."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
from http import HTTPStatus

import pytest

from e2e.chat import chat, chat_without_tokens
from e2e.cluster import Form, MissingCapabilityError, up
from e2e.cluster.addons import envoy_gateway, kthena
from e2e.cluster.local import LocalCluster
from e2e.cluster.tests.manifests import chart_objects, engine, eventually, gateway_objects, make, route
from e2e.waiting import KUBECTL_TIMEOUT

pytestmark = pytest.mark.optional_addons

MODEL = "m"


@pytest.fixture
def add(cluster):
    """Install an add-on on the running cluster."""
    if not isinstance(cluster, LocalCluster):
        raise MissingCapabilityError("add-ons are installed on clusters of this machine only")

    def run(name):
        up(cluster.name, Form.FULL, [name])

    return run


@pytest.fixture
def apply(cluster, namespace):
    def run(*objects):
        document = "\n---\n".join(map(json.dumps, objects))
        cluster.kubectl("apply", "--namespace", namespace, "--filename", "-", input=document)

    return run


@pytest.fixture
def wait_for(cluster, namespace):
    def run(target, condition, *more):
        cluster.kubectl("wait", "--namespace", namespace, f"--for={condition}", target, *more, KUBECTL_TIMEOUT)

    return run


@pytest.fixture
def serving(cluster, apply, wait_for):
    """Make an engine, and a pool with its endpoint picker before it."""

    def run(provider):
        apply(*chart_objects(cluster, provider), engine("engine"))
        wait_for("helmrelease/pool", "condition=Ready")
        wait_for("deployment/pool-epp", "condition=Available")
        wait_for("pod/engine", "condition=Ready")

    return run


def eventually_answers(cluster, url, model, status, pod):
    """Ask until the answer is the wanted one; how long a proxy takes to learn of a route, nothing tells."""

    def ask():
        try:
            answer = chat(cluster, url, model, "hello")
        except AssertionError:  # nobody listens yet
            return False
        return (answer.status, answer.pod) == (status, pod)

    eventually(ask)


def address_of(cluster, namespace, name):
    gateway = json.loads(cluster.kubectl("get", "gateway", name, "--namespace", namespace, "--output=json"))
    return gateway["status"]["addresses"][0]["value"]


def test_envoy_gateway_asks_the_endpoint_picker(cluster, namespace, add, apply, wait_for, serving):
    add("envoy-gateway")
    serving("none")
    apply(*gateway_objects(envoy_gateway.CLASS))
    wait_for("gateway/gateway", "condition=Programmed")
    url = f"http://{address_of(cluster, namespace, 'gateway')}"
    eventually_answers(cluster, url, MODEL, HTTPStatus.OK, "engine")
    # Envoy Gateway does without nobody: what answers, answers because the endpoint picker said so.
    cluster.kubectl("scale", "deployment/pool-epp", "--namespace", namespace, "--replicas=0")
    wait_for("pod", "delete", "--selector=inferencepool=pool-epp")
    eventually_answers(cluster, url, MODEL, HTTPStatus.INTERNAL_SERVER_ERROR, "")


def test_kthena_router_finds_the_pods_of_a_pool_by_a_model_server(cluster, namespace, add, apply, serving):
    add("kthena")
    serving("none")
    path = f"/{namespace}"
    document = route({"name": kthena.GATEWAY, "namespace": kthena.NAMESPACE}, path={"type": "PathPrefix", "value": path})
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    document["spec"]["rules"][0]["filters"] = [rewrite]
    apply(document)
    url = f"http://kthena-router.{kthena.NAMESPACE}{path}"
    eventually_answers(cluster, url, MODEL, HTTPStatus.NOT_FOUND, "")
    selection = {"workloadSelector": {"matchLabels": {"app": "engine"}}, "workloadPort": {"port": 8000}}
    server = {"model": MODEL, "inferenceEngine": "vLLM", **selection}
    apply(make("networking.serving.volcano.sh/v1alpha1", "ModelServer", "engine", server))
    eventually_answers(cluster, url, MODEL, HTTPStatus.OK, "engine")
    refused = chat_without_tokens(cluster, url, MODEL)
    # It tries every pod, and then has words of its own for the refusal.
    assert (refused.status, "all pods failed" in refused.text) == (HTTPStatus.NOT_FOUND, True), refused
