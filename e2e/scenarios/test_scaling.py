"""InferenceSets that a real KEDA scales by the load of a real endpoint picker, to zero and back, while clients look on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import e2e.bursts
from e2e import policies, workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.cluster import Form, up
from e2e.cluster.addons import keda
from e2e.controller import ACTOR
from e2e.scaling import (
    AUTOSCALING,
    BURST,
    KIND,
    MODEL,
    NAME,
    PATIENCE,
    PODS,
    burst,
    get,
    looking_on,
    lost,
    reason_of,
    scaling_controller,
    serve,
    wait_zero,
    written_replicas,
)
from e2e.streaming import streaming
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.chart.helm import GATE
from tests.chart.rights import AGENT, granted, used

pytestmark = [pytest.mark.optional_addons, pytest.mark.timeout(1800)]

ROUNDS = 20
SAMPLED_EVERY = 0.5
CLIENTS, WORDS = 3, 20
QUEUE_WITHIN = 30
"""Seconds in which a queue of 30 has four copies wanted: two periods of Kubernetes' autoscaler."""
WITHIN = 15
"""Seconds in which a burst at zero is answered, if a pod starts in three."""


@pytest.fixture(scope="module")
def scaling_cluster(serving_cluster):
    """The cluster with KEDA."""
    up(serving_cluster.name, Form.FULL, ["keda"])
    with policies.extended(serving_cluster, AUTOSCALING):
        yield serving_cluster


@pytest.fixture
def gateway(scaling_cluster, namespace):
    with workspaces.programmed_gateway(scaling_cluster, namespace) as field:
        yield field


@pytest.fixture
def controller(scaling_cluster, tmp_path):
    with scaling_controller(scaling_cluster, tmp_path) as process:
        yield process


def bursts_at_zero(cluster, namespace, gateway):
    """Send bursts to a set without copies, each answered as a whole, and to one that has gone to sleep again after the one before."""
    url = serve(cluster, namespace, gateway, idleAfter="10s", requestsHeldFor="2m")
    durations = []
    with looking_on(cluster, namespace, SAMPLED_EVERY, PATIENCE) as seen:

        def awake():
            """Have requests sent beside the burst once that has woken the set."""
            until(lambda: get(cluster, namespace)["spec"]["replicas"] > 0, "the set to be woken")
            seen.resume()

        for _ in range(ROUNDS):
            seen.pause()
            held = wait_zero(cluster, namespace)
            assert held["status"] == "True"
            answers = burst(cluster, url, awake)
            assert lost(answers) == {}
            assert len(answers) == BURST
            durations.append(max(answer["seconds"] for answer in answers))
        sampled = len(seen.samples)
    print("longest answer of each round:", sorted(durations), "requests beside them:", sampled)
    assert sorted(durations)[len(durations) // 2] <= WITHIN
    assert get(cluster, namespace)["status"]["autoscaling"]["coldStartSeconds"] >= 3
    assert written_replicas(cluster, namespace) == []


def test_no_request_is_lost_at_zero(scaling_cluster, namespace, gateway, controller):
    bursts_at_zero(scaling_cluster, namespace, gateway)


def test_no_request_is_lost_at_zero_behind_envoy_gateway(envoy_gateway_cluster, tmp_path):
    cluster = envoy_gateway_cluster
    up(cluster.name, Form.FULL, ["keda"])
    with (
        workspaces.programmed_gateway(cluster, "default", ENVOY_GATEWAY.name) as gateway,
        scaling_controller(cluster, tmp_path),
    ):
        bursts_at_zero(cluster, "default", gateway)
        cluster.kubectl("delete", KIND, NAME, "-n", "default", KUBECTL_TIMEOUT)


def test_a_queue_adds_copies_and_they_go_without_a_cut_stream(scaling_cluster, namespace, gateway, controller):
    cluster = scaling_cluster
    flags = "--max-num-seqs=1 --inter-token-latency=200ms"
    url = serve(cluster, namespace, gateway, flags, idleAfter="30s")
    command = [sys.executable, str(Path(e2e.bursts.__file__)), url, MODEL, "30", "300", "40"]
    with looking_on(cluster, namespace, 4.0, 240.0):
        process, began = cluster.popen(command, stdout=subprocess.PIPE), time.monotonic()
        until(lambda: get(cluster, namespace)["spec"]["replicas"] == 4, "four copies to be wanted", QUEUE_WITHIN)
        print("four copies are wanted after", round(time.monotonic() - began, 1), "s")
        out, _ = process.communicate(timeout=400)
        assert lost(json.loads(line) for line in out.splitlines()) == {}
        with streaming(cluster, url, MODEL, CLIENTS, WORDS) as streams:
            streams.wait_begun()
            until(lambda: len(workspaces.items(cluster, namespace, "pod", PODS)) == 1, "one copy to be left", 600)
            streams.wait()
    print("streams during the scale-down:", len(streams.answers), "broken:", len(streams.broken))
    assert streams.broken == []
    assert len(streams.answers) > CLIENTS
    assert written_replicas(cluster, namespace) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}},
        {"triggers": [{"type": "cpu", "metadata": {"value": "50"}}]},
        {"triggers": [{"type": "prometheus", "metadata": {}, "authenticationRef": {"name": "x"}}]},
    ],
    ids=["another target", "another trigger", "credentials"],
)
def test_with_the_controller_s_rights_nothing_else_is_scaled(scaling_cluster, changes):
    target = {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "name": "x"}
    spec = {"scaleTargetRef": target, "triggers": [{"type": "metrics-api", "metadata": {}}], **changes}
    document = policies.as_created("keda.sh/v1alpha1", "ScaledObject", spec)
    words = "workspace-ctrl scales only InferenceSets, by their load"
    until(lambda: words in policies.refusal(scaling_cluster, document), "the policy to refuse it")


def test_what_fails_is_told_and_the_replicas_stay(scaling_cluster, namespace, gateway, controller):
    cluster = scaling_cluster
    serve(cluster, namespace, gateway, minReplicas=2, maxReplicas=4)
    cluster.kubectl("scale", f"deployment/{NAME}-inferencepool-epp", "-n", namespace, "--replicas=0")
    until(lambda: reason_of(cluster, namespace) == "LoadNotReadable", "that the load cannot be read to be told")
    cluster.kubectl("scale", f"deployment/{NAME}-inferencepool-epp", "-n", namespace, "--replicas=1")
    until(lambda: reason_of(cluster, namespace) == "Scaled", "KEDA to go on")
    cluster.kubectl("annotate", KIND, NAME, "-n", namespace, "kaito.sh/paused=true", actor="user")
    until(lambda: reason_of(cluster, namespace) == "AutoscalingPaused", "the pause to be told")
    cluster.kubectl("annotate", KIND, NAME, "-n", namespace, "kaito.sh/paused-", actor="user")
    until(lambda: reason_of(cluster, namespace) == "Scaled", "the end of the pause to be told")
    cluster.kubectl("scale", f"deployment/{keda.OPERATOR}", "-n", keda.NAMESPACE, "--replicas=0")
    try:
        until(lambda: reason_of(cluster, namespace) == "KEDASilent", "the end of KEDA to be told")
    finally:
        cluster.kubectl("scale", f"deployment/{keda.OPERATOR}", "-n", keda.NAMESPACE, "--replicas=1")
    until(lambda: reason_of(cluster, namespace) == "Scaled", "KEDA to be back")
    assert get(cluster, namespace)["spec"]["replicas"] == 2
    crd = cluster.kubectl("get", "crd", "scaledobjects.keda.sh", "-o", "json")
    cluster.kubectl("delete", "crd", "scaledobjects.keda.sh", KUBECTL_TIMEOUT)
    try:
        until(lambda: reason_of(cluster, namespace) == "KEDANotInstalled", "the missing kind to be told")
        assert get(cluster, namespace)["spec"]["replicas"] == 2
    finally:
        document = json.loads(crd)
        document["metadata"] = {"name": document["metadata"]["name"], "annotations": document["metadata"].get("annotations", {})}
        cluster.kubectl("create", "-f", "-", input=json.dumps(document))
    until(lambda: reason_of(cluster, namespace) == "Scaled", "KEDA to be picked up again")
    assert workspaces.wait_reason(cluster, namespace, NAME, "Ready", "Ready", kind=KIND)["status"] == "True"
    change = json.dumps([{"op": "remove", "path": "/spec/autoscaling"}])
    cluster.kubectl("patch", KIND, NAME, "-n", namespace, "--type=json", "-p", change, actor="user")
    until(lambda: workspaces.items(cluster, namespace, "scaledobject") == [], "the ScaledObject to go")
    assert get(cluster, namespace)["spec"]["replicas"] == 2
    assert written_replicas(cluster, namespace) == []
    # What rights autoscaling adds is all used. That no other right is used, the cluster's fixture checks.
    ours = [event for event in cluster.audit_events(ACTOR) if event.get("userAgent") == AGENT]
    assert granted({**GATE, **AUTOSCALING}) - granted(GATE) <= used(ours)
