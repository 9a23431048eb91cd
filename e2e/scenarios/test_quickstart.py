"""The quickstart, for real: from `kubectl apply` to an answer through the gateway, and to nothing left."""

import json
import time
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest
import yaml

from e2e import workspaces
from e2e.chat import chat, chat_without_tokens, chats, fetch
from e2e.cluster import MissingCapabilityError
from e2e.controller import ACTOR, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until_equal

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart"
NAME = "workspace-phi-4-mini"
EVERY_KIND = (
    "deployment,service,ocirepository,helmrelease,httproute,inferencepool,configmap,serviceaccount,role,rolebinding,destinationrule"
)
REQUESTS = 50
FIRST_WAVE = ("deployments", "services", "ocirepositories")


@pytest.fixture
def gateway(serving_cluster, namespace):
    serving_cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE / "gateway.yaml"))
    serving_cluster.kubectl("wait", "gateway/inference-gateway", "-n", namespace, "--for=condition=Programmed", KUBECTL_TIMEOUT)
    yield f"{namespace}/inference-gateway"
    serving_cluster.kubectl("delete", "gateway", "inference-gateway", "-n", namespace)


def listed_at(cluster, url):
    """The model behind a URL; nobody probes here, so no status tells that the proxy has its configuration."""
    until_equal(lambda: fetch(cluster, f"{url}/v1/models").status, HTTPStatus.OK, "the proxy to get its configuration")
    return json.loads(fetch(cluster, f"{url}/v1/models").text)["data"][0]["id"]


def first_wave_milliseconds(cluster, namespace):
    """Milliseconds from the Workspace's creation in the API server to the last object of the first wave, by the audit log."""
    created = [_moment(event) for event in _writes(cluster, "user", "workspaces", namespace)]
    written = [_moment(event) for plural in FIRST_WAVE for event in _writes(cluster, ACTOR, plural, namespace)[:1]]
    return (max(written) - created[0]).total_seconds() * 1000


def _writes(cluster, user, plural, namespace):
    return [
        event
        for event in cluster.audit_events(user)
        if event["verb"] in {"create", "patch"}
        and event.get("objectRef", {}).get("resource") == plural
        and event["objectRef"].get("namespace") == namespace
        and "dryRun" not in event["requestURI"]
    ]


def _moment(event):
    return datetime.fromisoformat(event["stageTimestamp"])


def test_the_quickstart_answers_through_the_gateway(serving_cluster, namespace, gateway, capsys):
    cluster = serving_cluster
    with ControllerProcess(cluster, "--gateway", gateway, "--probe", "models", inside=True) as controller:
        started = time.monotonic()
        cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE / "workspace.yaml"), actor="user")
        workspaces.wait_ready(cluster, namespace, NAME)
        seconds = time.monotonic() - started
        url = workspaces.get(cluster, namespace, "workspace", NAME)["status"]["gateway"]["url"]
        query_results = chats(cluster, url, "phi-4-mini-instruct", "what is a gateway?", REQUESTS)
        refused = chat_without_tokens(cluster, url, "phi-4-mini-instruct")
        assert (refused.status, "max tokens" in refused.text) == (HTTPStatus.BAD_REQUEST, True), refused
        with capsys.disabled():
            print(f"\n  kubectl apply to GatewayReady=True: {seconds:.1f} s")
            with suppress(MissingCapabilityError):
                print(f"  creation to first wave written:     {first_wave_milliseconds(cluster, namespace):.0f} ms")
                print(f"  writes of the controller:           {controller.writes(namespace).total()}")
        # From the first one on: GatewayReady must not be hasty.
        assert [answer.status for answer in query_results] == [200] * REQUESTS
        assert {answer.content for answer in query_results} == {"what is a gateway?"}
        pods = workspaces.items(cluster, namespace, "pod", f"kaito.sh/workspace={NAME}")
        assert {answer.pod for answer in query_results} == {pod["metadata"]["name"] for pod in pods}
        assert url.endswith(f"/{namespace}/{NAME}")

        table = cluster.kubectl("get", "helmrelease", f"{NAME}-inferencepool", "-n", namespace)
        assert "True" in table
        assert "Helm install succeeded" in table

        cluster.kubectl("delete", "-n", namespace, "-f", str(EXAMPLE / "workspace.yaml"), KUBECTL_TIMEOUT, actor="user")
        asked = (cluster, url, "phi-4-mini-instruct", "still there?")
        until_equal(lambda: chat(*asked).status, HTTPStatus.NOT_FOUND, "the proxy to get its new configuration")
        for item in workspaces.items(cluster, namespace, "deployment,service,ocirepository", f"workspace-ctrl/workspace={NAME}"):
            workspaces.wait_gone(cluster, namespace, item["kind"], item["metadata"]["name"])
        assert workspaces.items(cluster, namespace, EVERY_KIND, f"workspace-ctrl/workspace={NAME}") == []
        assert workspaces.items(cluster, namespace, "secret", "owner=helm") == []


def test_two_models_on_one_gateway_are_kept_apart(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    with ControllerProcess(cluster, "--gateway", gateway):
        both = [workspaces.workspace("one"), workspaces.workspace("two", inference={"preset": {"name": "phi-4"}})]
        workspaces.apply(cluster, namespace, *both)
        for document in both:
            name = document["metadata"]["name"]
            workspaces.wait_ready(cluster, namespace, name)
            url = workspaces.get(cluster, namespace, "workspace", name)["status"]["gateway"]["url"]
            assert listed_at(cluster, url) == document["inference"]["preset"]["name"]


@pytest.mark.parametrize(
    ("deployment", "reason"),
    [
        pytest.param("phi-inferencepool-epp", "EndpointPickerScaledToZero", id="endpoint picker"),
        pytest.param("phi", "NoReadyEndpoints", id="last model pod"),
        pytest.param("inference-gateway-istio", "GatewayProxyNotReady", id="the Gateway's proxy"),
    ],
)
def test_gateway_ready_falls_with_each_part_and_rises_when_it_is_back(serving_cluster, namespace, gateway, deployment, reason):
    cluster = serving_cluster
    with ControllerProcess(cluster, "--gateway", gateway):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi"))
        workspaces.wait_ready(cluster, namespace, "phi")
        cluster.kubectl("scale", f"deployment/{deployment}", "-n", namespace, "--replicas=0", actor="user")
        assert workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", reason)["status"] == "False"
        cluster.kubectl("scale", f"deployment/{deployment}", "-n", namespace, "--replicas=1", actor="user")
        workspaces.wait_ready(cluster, namespace, "phi")
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def test_a_pod_that_no_node_can_take_is_said_in_the_scheduler_s_words(serving_cluster, namespace, gateway):
    cluster = serving_cluster
    resource = {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "nowhere"}}}
    with ControllerProcess(cluster, "--gateway", gateway):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", resource=resource))
        found = workspaces.wait_reason(cluster, namespace, "phi", "ResourceReady", "Unschedulable")
        assert "0/1 nodes are available" in found["message"]
        assert ": nodes need apps=nowhere, node.kubernetes.io/instance-type=Standard_NC24ads_A100_v4; 0/1 nodes" in found["message"]


def test_the_example_is_what_the_api_server_stores(serving_cluster, namespace):
    serving_cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE / "workspace.yaml"), "--validate=strict")
    stored = workspaces.get(serving_cluster, namespace, "workspace", NAME)
    written = yaml.safe_load((EXAMPLE / "workspace.yaml").read_text())
    assert {**stored["resource"], "count": 1} == {**written["resource"], "count": 1}
    assert stored["inference"] == written["inference"]
