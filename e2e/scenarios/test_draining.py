"""Answers that are streamed while a model server is rolled out and scaled down come to their end."""

import pytest

from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.controller import ControllerProcess
from e2e.streaming import streaming
from e2e.waiting import KUBECTL_TIMEOUT, until

CLIENTS = 10
FLAGS = "--inter-token-latency=250ms --max-num-seqs=100"
"""Each word of an answer takes a quarter of a second, and no request waits for another."""
LONG, SHORT = 240, 20
"""Words of an answer that takes a minute, as long as a long one of a large model, and of one that takes some seconds."""
LONG_SECONDS = 55
MODEL = "qwen3-0.6b"


def serve(cluster, namespace, gateway):
    """Have two pods with slow answers, and return the URL."""
    document = workspaces.workspace("drain", gateway=gateway, inference={"preset": {"name": MODEL}})
    workspaces.apply(cluster, namespace, document)
    cluster.kubectl("wait", "--for=create", "deployment/drain", "-n", namespace, KUBECTL_TIMEOUT)
    cluster.kubectl("set", "env", "deployment/drain", f"SIMULATOR_FLAGS={FLAGS}", "-n", namespace)
    cluster.kubectl("scale", "deployment/drain", "--replicas=2", "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/drain", "-n", namespace, KUBECTL_TIMEOUT)
    workspaces.wait_ready(cluster, namespace, "drain", "Ready")
    return workspaces.get(cluster, namespace, "workspace", "drain")["status"]["gateway"]["url"]


def pods(cluster, namespace):
    return {pod["metadata"]["name"] for pod in workspaces.items(cluster, namespace, "pods", "kaito.sh/workspace=drain")}


def disturb(cluster, namespace, url):
    """Roll the model server out and scale it down while answers are under way; return the short and the long ones.

    All long answers are of the pods that the rollout ends.
    """
    with streaming(cluster, url, MODEL, CLIENTS, SHORT) as short:
        with streaming(cluster, url, MODEL, CLIENTS, LONG) as long:
            long.wait_begun()
            long.stop()
            cluster.kubectl("rollout", "restart", "deployment/drain", "-n", namespace)
            cluster.kubectl("rollout", "status", "deployment/drain", "-n", namespace, KUBECTL_TIMEOUT)
        cluster.kubectl("scale", "deployment/drain", "--replicas=1", "-n", namespace)
        until(lambda: len(pods(cluster, namespace)) == 1, "one pod to be left")
        short.wait()
    return short, long


def check(short, long):
    assert (short.broken, long.broken) == ([], [])
    assert len(long.answers) == CLIENTS
    assert min(answer["seconds"] for answer in long.answers) > LONG_SECONDS
    assert len(short.answers) >= 3 * CLIENTS


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


@pytest.mark.timeout(900)
def test_no_stream_is_cut_while_the_model_server_is_rolled_out_and_scaled_down(serving_cluster, namespace, gateway):
    with ControllerProcess(serving_cluster, "--probe", "models", inside=True):
        check(*disturb(serving_cluster, namespace, serve(serving_cluster, namespace, gateway)))


@pytest.mark.optional_addons
@pytest.mark.timeout(900)
def test_no_stream_is_cut_behind_envoy_gateway(envoy_gateway_cluster):
    cluster = envoy_gateway_cluster
    with (
        workspaces.programmed_gateway(cluster, "default", ENVOY_GATEWAY.name) as gateway,
        ControllerProcess(cluster, "--probe", "models", inside=True),
    ):
        check(*disturb(cluster, "default", serve(cluster, "default", gateway)))
        cluster.kubectl("delete", "workspace", "drain", "-n", "default", KUBECTL_TIMEOUT)
