"""CRDs of the gateway side are deleted under a running Workspace and come back: the controller says so and goes on, without a restart."""

import json
import os
import time

import pytest

from e2e import workspaces
from e2e.cluster import Form, down, up
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from tests.refused_statuses import refused_statuses

NAME = f"kinds-{os.getpid()}"
GATEWAY_API = "gateway.networking.k8s.io"
INFERENCE = "inference.networking.k8s.io"


@pytest.fixture
def own(plane):
    """A control plane whose CRDs nobody else needs; `plane` is asked for, so that this skips and fails where that does."""
    try:
        cluster = up(NAME, Form.PLANE)
        workspaces.install_crd(cluster)
        yield cluster
        assert refused_statuses(cluster) == []
    finally:
        down(NAME)


def crds_of(cluster, group):
    listed = json.loads(cluster.kubectl("get", "crd", "-o", "json"))["items"]
    return [entry for entry in listed if entry["spec"]["group"] == group]


def delete(cluster, crds):
    cluster.kubectl("delete", "crd", *(entry["metadata"]["name"] for entry in crds), KUBECTL_TIMEOUT)


def restore(cluster, crds):
    for entry in crds:
        metadata = {key: entry["metadata"][key] for key in ("name", "annotations")}
        document = {"apiVersion": entry["apiVersion"], "kind": entry["kind"], "metadata": metadata, "spec": entry["spec"]}
        cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(document))
        workspaces.wait_served(cluster, metadata["name"])


def restart_judge(cluster):
    """Istio makes its GatewayClass, and looks for kinds, when it starts."""
    cluster.kill_program("istiod")
    cluster.start_program("istiod")
    cluster.kubectl("wait", "--for=create", "gatewayclass/istio", KUBECTL_TIMEOUT)


def test_crds_of_the_gateway_side_go_and_come_back_twice(own):
    with ControllerProcess(own) as controller:
        pid = controller.pid
        workspaces.apply(own, "default", *workspaces.played_gateway(), workspaces.workspace("phi"))
        workspaces.wait_ready(own, "default", "phi")
        for _ in range(2):
            gateway_api = crds_of(own, GATEWAY_API)
            delete(own, gateway_api)
            # They go one after the other, and the first of them is missing for a moment alone.
            words = "Gateway and HTTPRoute are not served by the cluster; install the Gateway API CRDs"
            found = workspaces.wait_message(own, "default", "phi", "GatewayReady", words)
            assert (found["reason"], found["message"]) == ("CRDsNotAvailable", words)
            restore(own, gateway_api)
            workspaces.wait_reason(own, "default", "phi", "GatewayReady", "NoGateway")
            restart_judge(own)
            workspaces.apply(own, "default", *workspaces.played_gateway())
            workspaces.wait_ready(own, "default", "phi")

            inference = crds_of(own, INFERENCE)
            delete(own, inference)
            found = workspaces.wait_reason(own, "default", "phi", "GatewayReady", "CRDsNotAvailable")
            assert found["message"].startswith("InferencePool not served by the cluster; install the Gateway API Inference")
            assert workspaces.condition(own, "default", "phi", "InferenceReady")["status"] == "True"
            restore(own, inference)
            restart_judge(own)
            # Flux looks for what has gone at its interval only; a user who does not want to wait asks for it.
            own.kubectl(
                "annotate", "--overwrite", "helmrelease/phi-inferencepool", f"reconcile.fluxcd.io/requestedAt={time.monotonic()}"
            )
            workspaces.wait_ready(own, "default", "phi")
        assert (controller.is_running, controller.pid) == (True, pid)
