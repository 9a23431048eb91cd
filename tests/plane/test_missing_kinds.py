"""The controller on a cluster where nothing is installed yet: it says so, and goes on as things arrive, without a restart."""

import os

import pytest

from e2e import workspaces
from e2e.cluster import Form, down, up
from e2e.controller import ControllerProcess
from tests.refused_statuses import refused_statuses

NAME = f"bare-{os.getpid()}"


@pytest.fixture
def bare(plane):
    """A control plane with a simulated node and nothing else; `plane` is asked for, so that this skips and fails where that does."""
    try:
        cluster = up(NAME, Form.PLANE, ["simulated-node"])
        yield cluster
        assert refused_statuses(cluster) == []
    finally:
        down(NAME)


def test_crds_that_arrive_later_are_picked_up(bare):
    with ControllerProcess(bare, "--chart-insecure", "--chart-url", "oci://127.0.0.1:1/charts/inferencepool") as controller:
        workspaces.install_crd(bare)
        workspaces.apply(bare, "default", workspaces.workspace("phi"))
        found = workspaces.wait_reason(bare, "default", "phi", "GatewayReady", "CRDsNotAvailable")
        assert found["message"] == "Gateway and HTTPRoute are not served by the cluster; install the Gateway API CRDs"
        chart = workspaces.condition(bare, "default", "phi", "ChartReady")
        assert chart["message"] == "HelmRelease and OCIRepository not served by the cluster; install Flux"
        workspaces.wait_ready(bare, "default", "phi", "InferenceReady")

        up(NAME, Form.PLANE, ["gateway-api", "istio"])
        workspaces.apply(bare, "default", *workspaces.played_gateway())
        # The Gateway and its kinds are there; what is still missing is Flux.
        found = workspaces.wait_message(bare, "default", "phi", "GatewayReady", chart["message"])
        assert found["reason"] == "CRDsNotAvailable"
        chart = workspaces.condition(bare, "default", "phi", "ChartReady")
        assert chart["reason"] == "CRDsNotAvailable"

        up(NAME, Form.PLANE, ["flux"])
        workspaces.wait_reason(bare, "default", "phi", "ChartReady", "OCIArtifactPullFailed")
        assert controller.is_running
