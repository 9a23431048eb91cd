"""Copies of a model for real: behind Istio, all of them answer, and they are scaled 1, 3, 0, 2 while clients look on."""

import json

import pytest

from e2e import workspaces
from e2e.chat import chat_until_answered, chats, fetch
from e2e.controller import ControllerProcess
from e2e.traffic import Traffic
from e2e.waiting import KUBECTL_TIMEOUT, until

KIND = "inferenceset"
NAME = "phi"
MODEL = "phi-4-mini-instruct"
REQUESTS = 60
LARGE_MODEL = "llama-3.3-70b-instruct"
LARGE = {"preset": {"name": LARGE_MODEL, "presetOptions": {"modelAccessSecret": "hf"}}}


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


@pytest.fixture
def scale(serving_cluster, namespace):
    """Scale the set, and wait until so many copies are ready."""

    def scale(replicas):
        serving_cluster.kubectl("scale", KIND, NAME, "-n", namespace, f"--replicas={replicas}", actor="user")
        path = f"--for=jsonpath={{.status.ready}}={replicas}/{replicas}"
        serving_cluster.kubectl("wait", f"{KIND}/{NAME}", "-n", namespace, path, KUBECTL_TIMEOUT)

    return scale


def status_of(cluster, namespace):
    return workspaces.get(cluster, namespace, KIND, NAME)["status"]


def pods_of(cluster, namespace, selector):
    """The pods that are not ending."""
    found = workspaces.items(cluster, namespace, "pod", selector)
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def answering(cluster, url, model):
    """The pods that answer requests."""
    answers = chats(cluster, url, model, "who are you?", REQUESTS)
    assert {answer.status for answer in answers} == {200}
    return {answer.pod for answer in answers}


def evict(cluster, namespace, pod):
    """Evict a pod as a drain of its node does; return whether that was allowed."""
    document = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    return "Success" in cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(document), actor="user", check=False)


@pytest.mark.timeout(900)
def test_all_copies_answer_and_they_are_scaled_from_one_to_three_to_none_to_two(serving_cluster, namespace, gateway, scale):
    cluster = serving_cluster
    with ControllerProcess(cluster, "--probe", "models", inside=True):
        workspaces.apply(cluster, namespace, workspaces.inference_set(NAME, gateway=gateway))
        workspaces.wait_reason(cluster, namespace, NAME, "Ready", "Ready", kind=KIND)
        status = status_of(cluster, namespace)
        url, selector = status["gateway"]["url"], status["selector"]
        assert answering(cluster, url, MODEL) == pods_of(cluster, namespace, selector)
        with Traffic(cluster, url, MODEL) as traffic:
            scale(3)
            copies = pods_of(cluster, namespace, selector)
            assert len(copies) == 3
            until(lambda: answering(cluster, url, MODEL) == copies, "all three copies to answer")
            scale(1)
            traffic.wait_answered()
        assert traffic.lost == {}
        scale(0)
        found = workspaces.wait_reason(cluster, namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
        assert found["status"] == "False"
        until(lambda: workspaces.items(cluster, namespace, "pod", selector) == [], "the last pod to end")
        assert fetch(cluster, f"{url}/v1/models").status != 200
        scale(2)
        workspaces.wait_reason(cluster, namespace, NAME, "Ready", "Ready", kind=KIND)
        chat_until_answered(cluster, url, MODEL, "are you back?")
        copies = pods_of(cluster, namespace, selector)
        until(lambda: answering(cluster, url, MODEL) == copies, "both copies to answer")
        # A drain takes one copy at a time, and comes to its end.
        first, second = copies
        workspaces.wait_reason(cluster, namespace, NAME, "DisruptionBudgetReady", "EvictionsLimited", kind=KIND)
        until(lambda: evict(cluster, namespace, first), "a copy to be evicted")
        assert not evict(cluster, namespace, second)
        until(lambda: evict(cluster, namespace, second), "the other one to be evicted when the first is ready again")


@pytest.mark.timeout(900)
def test_the_leaders_of_copies_on_several_nodes_answer(serving_cluster, namespace, gateway, scale):
    cluster = serving_cluster
    cluster.kubectl("create", "secret", "generic", "hf", "-n", namespace, "--from-literal=HF_TOKEN=none")
    document = workspaces.inference_set(NAME, gateway=gateway, replicas=2)
    document["spec"]["template"]["inference"] = LARGE
    with ControllerProcess(cluster, "--probe", "models", inside=True):
        workspaces.apply(cluster, namespace, document)
        workspaces.wait_reason(cluster, namespace, NAME, "Ready", "Ready", kind=KIND)
        url, leaders = status_of(cluster, namespace)["gateway"]["url"], {f"{NAME}-0-0", f"{NAME}-1-0"}
        until(lambda: answering(cluster, url, LARGE_MODEL) == leaders, "both leaders to answer")
        # With a worker, its whole copy is lost; until it is back, the other copy is not touched.
        until(lambda: evict(cluster, namespace, f"{NAME}-0-1"), "a worker to be evicted")
        assert not evict(cluster, namespace, f"{NAME}-1-0")
        until(
            lambda: evict(cluster, namespace, f"{NAME}-1-2"),
            "one of the other copy to be evicted when the first is whole again",
        )
        until(lambda: answering(cluster, url, LARGE_MODEL) == leaders, "both leaders to answer again")
        with Traffic(cluster, url, LARGE_MODEL) as traffic:
            scale(1)
            until(lambda: len(workspaces.items(cluster, namespace, "statefulset")) == 1, "the second copy to go")
            traffic.wait_answered()
        assert traffic.lost == {}
