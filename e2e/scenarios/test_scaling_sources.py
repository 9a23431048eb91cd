"""InferenceSets that KEDA scales by what a real Prometheus has read at the endpoint picker; and what kthena-router does at zero."""

import os
from http import HTTPStatus

import pytest

from e2e import policies, workspaces
from e2e.agreement.scene import ADDONS, KTHENA
from e2e.cluster import Form, down, up
from e2e.cluster.addons import keda, prometheus
from e2e.controller import ACTOR
from e2e.scaling import (
    AUTOSCALING,
    BURST,
    KIND,
    NAME,
    PODS,
    burst,
    get,
    lost,
    reason_of,
    scaling_controller,
    serve,
    wait_zero,
    written_replicas,
)
from e2e.waiting import until
from tests.chart.helm import GATE
from tests.chart.rights import AGENT, granted, used

pytestmark = [pytest.mark.optional_addons, pytest.mark.timeout(1800)]

BY_PROMETHEUS = {"autoscaling": {"enabled": True, "prometheus": {"url": prometheus.URL}}}
ROUNDS = 3
WITHIN = 20
"""Seconds in which a burst at zero is answered: Prometheus reads every 2 s, and KEDA asks it every 3 s."""


@pytest.fixture
def measured_cluster(serving_cluster):
    """The cluster with KEDA and Prometheus."""
    up(serving_cluster.name, Form.FULL, ["keda", "prometheus"])
    with policies.extended(serving_cluster, AUTOSCALING):
        yield serving_cluster


def test_a_prometheus_is_the_source_of_loads_and_keda_s_end_is_told(measured_cluster, namespace, tmp_path):
    cluster = measured_cluster
    with (
        workspaces.programmed_gateway(cluster, namespace) as gateway,
        scaling_controller(cluster, tmp_path, prometheus.URL),
    ):
        url = serve(cluster, namespace, gateway, idleAfter="10s", requestsHeldFor="2m")
        triggers = workspaces.get(cluster, namespace, "scaledobject", NAME)["spec"]["triggers"]
        assert {trigger["type"] for trigger in triggers} == {"prometheus"}
        durations = []
        for _ in range(ROUNDS):
            wait_zero(cluster, namespace)
            answers = burst(cluster, url)
            assert (lost(answers), len(answers)) == ({}, BURST)
            durations.append(max(answer["seconds"] for answer in answers))
        print("longest answer of each round, by Prometheus:", sorted(durations))
        assert sorted(durations)[len(durations) // 2] <= WITHIN
        wait_zero(cluster, namespace)
        # Without data, KEDA fails, and takes nothing for a load of 0.
        cluster.kubectl("scale", f"deployment/{NAME}-inferencepool-epp", "-n", namespace, "--replicas=0")
        until(lambda: reason_of(cluster, namespace) == "LoadNotReadable", "that there are no data to be told")
        cluster.kubectl("scale", f"deployment/{NAME}-inferencepool-epp", "-n", namespace, "--replicas=1")
        until(lambda: reason_of(cluster, namespace) == "Scaled", "KEDA to go on")
        cluster.kubectl("scale", f"deployment/{keda.OPERATOR}", "-n", keda.NAMESPACE, "--replicas=0")
        try:
            until(lambda: reason_of(cluster, namespace) == "KEDASilent", "the end of KEDA to be told", 300)
            # Nobody would start a copy now.
            workspaces.wait_reason(cluster, namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
            assert get(cluster, namespace)["spec"]["replicas"] == 0
        finally:
            cluster.kubectl("scale", f"deployment/{keda.OPERATOR}", "-n", keda.NAMESPACE, "--replicas=1")
        until(lambda: reason_of(cluster, namespace) == "Scaled", "KEDA to be back")
        assert lost(burst(cluster, url)) == {}
        assert written_replicas(cluster, namespace) == []
        ours = [event for event in cluster.audit_events(ACTOR) if event.get("userAgent") == AGENT]
        leases = [event for event in ours if "operator.keda.sh" in event["requestURI"]]
        assert {event["verb"] for event in leases} <= {"list", "watch"}
        assert granted({**GATE, **BY_PROMETHEUS}) >= used(leases)


@pytest.fixture
def kthena_cluster():
    """A cluster with kthena-router and KEDA."""
    name = f"test-kthena-zero-{os.getpid()}"
    try:
        cluster = up(name, Form.FULL, [*ADDONS, KTHENA.addon, "keda"])
        workspaces.install_crd(cluster)
        yield cluster
    finally:
        down(name)


def test_behind_kthena_router_the_last_copy_stays_and_requests_to_none_are_refused_at_once(kthena_cluster, tmp_path):
    cluster, namespace = kthena_cluster, "default"
    place, name = "kthena-system", "default"
    with scaling_controller(cluster, tmp_path):
        gateway = workspaces.behind(name, place)
        url = serve(cluster, namespace, gateway, reason="ScaledWithoutZero", idleAfter="10s")
        found = workspaces.condition(cluster, namespace, NAME, "Autoscaling", kind=KIND)
        assert "kthena-router does not hold requests; without a copy, it answers 404 at once" in found["message"]
        assert workspaces.get(cluster, namespace, "scaledobject", NAME)["spec"]["minReplicaCount"] == 1
        assert get(cluster, namespace)["status"]["autoscaling"]["minReplicas"] == 1
        assert lost(burst(cluster, url)) == {}
        # What would be lost: a user pauses KEDA, and takes the last copy.
        cluster.kubectl("annotate", KIND, NAME, "-n", namespace, "kaito.sh/paused=true", actor="user")
        until(lambda: reason_of(cluster, namespace) == "AutoscalingPaused", "the pause to be told")
        cluster.kubectl("scale", KIND, NAME, "-n", namespace, "--replicas=0", actor="user")
        workspaces.wait_reason(cluster, namespace, NAME, "GatewayReady", "ScaledToZero", kind=KIND)
        until(lambda: workspaces.items(cluster, namespace, "pod", PODS) == [], "its last pod to end")
        answers = burst(cluster, url)
        slowest = max(answer["seconds"] for answer in answers)
        print("kthena-router at zero:", {status for status, _ in lost(answers)}, "the slowest after", slowest, "s")
        assert {status for status, _ in lost(answers)} == {HTTPStatus.NOT_FOUND}
        assert sum(lost(answers).values()) == BURST
