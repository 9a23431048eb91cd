"""KAITO's page on the inference extension, step by step in its order, also the steps that this product makes unnecessary."""

import json
from functools import partial
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.chat import chat, fetch
from e2e.cluster.addons.registry import BODY_ROUTER_CHART
from e2e.cluster.catalog import GWIE, INFERENCE
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until

GATEWAY = "inference-gateway"
PHI, MISTRAL = "workspace-phi-4-mini", "workspace-mistral-7b-instruct"
MODELS = {PHI: "phi-4-mini-instruct", MISTRAL: "mistral-7b-instruct"}
PICKERS = {PHI: f"{PHI}-inferencepool-epp", MISTRAL: f"{MISTRAL}-inferencep-epp"}
"""Services of the endpoint pickers, as KAITO's DestinationRules name them: the chart cuts long names."""
ROUTER = "body-based-router"


def backend(name):
    group = "inference.networking.k8s.io"
    return {"backendRefs": [{"group": group, "kind": "InferencePool", "name": f"{name}-inferencepool"}]}


def route(*rules):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "llm-route"},
        "spec": {"parentRefs": [{"name": GATEWAY}], "rules": list(rules)},
    }


def any_request(name):
    return {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], **backend(name)}


def requests_for(name):
    header = {"type": "Exact", "name": "X-Gateway-Model-Name", "value": MODELS[name]}
    return {"matches": [{"headers": [header], "path": {"type": "PathPrefix", "value": "/"}}], **backend(name)}


def preset(name):
    return workspaces.workspace(name, inference={"preset": {"name": MODELS[name]}})


@pytest.fixture
def behind(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace):
        yield f"http://{GATEWAY}-istio.{namespace}"
        serving_cluster.kubectl("delete", "httproute", "llm-route", "-n", namespace, "--ignore-not-found")


@pytest.fixture
def helm(serving_cluster):
    """Run helm where the chart registry is reached; the release of the router is removed afterwards."""
    environment = serving_cluster.environment()

    def run(*arguments):
        result = serving_cluster.run(["helm", *arguments], env=environment, timeout=WAIT_SECONDS + 60)
        assert not result.returncode, result.stderr

    return run


def answers(cluster, url, name):
    answer = chat(cluster, url, MODELS[name], "What is Kubernetes?")
    return answer.status == HTTPStatus.OK and answer.pod.startswith(name)


@pytest.mark.parametrize("rule_comes", ["before", "after"])
def test_the_steps_of_the_page_lead_to_two_models_that_answer(serving_cluster, namespace, behind, helm, rule_comes):
    cluster = serving_cluster
    with ControllerProcess(cluster, "--probe", "models", "--probe-interval", "1", inside=True):
        objects = [preset(PHI), workspaces.destination_rule(PICKERS[PHI])]
        workspaces.apply(cluster, namespace, *(objects if rule_comes == "after" else reversed(objects)))
        for kind in ("ocirepository", "helmrelease"):
            target = (f"{kind}/{PHI}-inferencepool", "-n", namespace)
            cluster.kubectl("wait", *target, "--for=create", KUBECTL_TIMEOUT)
            cluster.kubectl("wait", *target, "--for=condition=Ready", KUBECTL_TIMEOUT)
        cluster.kubectl(
            "wait", f"deployment/{PHI}-inferencepool-epp", "-n", namespace, "--for=condition=Available", KUBECTL_TIMEOUT
        )

        workspaces.apply(cluster, namespace, route(any_request(PHI)))
        until(lambda: fetch(cluster, f"{behind}/v1/models").status == HTTPStatus.OK, "the Gateway answers at /v1/models")
        assert MODELS[PHI] in json.dumps(json.loads(fetch(cluster, f"{behind}/v1/models").text))
        until(lambda: answers(cluster, behind, PHI), "the first model answers")

        workspaces.apply(cluster, namespace, preset(MISTRAL), workspaces.destination_rule(PICKERS[MISTRAL]))
        chart = f"oci://{cluster.settings.registry}/charts/{BODY_ROUTER_CHART}"
        version = INFERENCE.version(GWIE)
        release = ("upgrade", "--install", ROUTER, chart, f"--version={version}", "--plain-http", "-n", namespace)
        helm(*release, "--set", "provider.name=istio", "--set", f"inferenceGateway.name={GATEWAY}", "--wait", KUBECTL_TIMEOUT)
        workspaces.apply(cluster, namespace, route(requests_for(PHI), requests_for(MISTRAL)))
        for name in (PHI, MISTRAL):
            until(partial(answers, cluster, behind, name), f"{name} answers to its model's name")
            workspaces.wait_ready(cluster, namespace, name)
        helm("uninstall", ROUTER, "-n", namespace)
