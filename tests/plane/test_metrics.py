"""What Prometheus is told, scraped from the process."""

import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from e2e import workspaces
from e2e.controller import ControllerProcess


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def scrape(port):
    """(name, labels) → value of all samples of ours."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name.removeprefix("workspace_ctrl_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        if family.name.startswith("workspace_ctrl_")
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))), 0)


def test_a_workspace_is_counted_from_its_creation_to_its_end(installed, plane_namespace, gateway):
    port = free_port()
    with ControllerProcess(installed, "--metrics-port", str(port)):
        document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        before = scrape(port)
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        ready = scrape(port)

        def grown(name, **labels):
            return value(ready, name, **labels) - value(before, name, **labels)

        assert grown("workspaces", condition="GatewayReady", status="True") == 1
        for stage in ("workload_accepted", "inference_ready", "chart_ready", "gateway_ready"):
            assert grown("stage_seconds_count", stage=stage) == 1
        assert grown("reconcile_total", result="success") == grown("reconcile_seconds_count") > 0
        assert value(ready, "reconcile_total", result="defect") == 0
        assert grown("api_requests_total", verb="patch", resource="helmreleases", code="201") == 1
        assert value(ready, "event_loop_lag_seconds_count") > 0
        assert value(ready, "workqueue_depth") == 0
        assert not any(plane_namespace in str(labels) for _, labels in ready)

        installed.kubectl("scale", "deployment/phi-inferencepool-epp", "-n", plane_namespace, "--replicas=0", actor="user")
        workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "EndpointPickerScaledToZero")
        assert value(scrape(port), "gateway_ready_flaps_total") - value(ready, "gateway_ready_flaps_total") == 1
        assert value(scrape(port), "workspaces_not_ready", reason="EndpointPickerScaledToZero") == 1

        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, "--timeout=60s", actor="user")
        # A Workspace made now shows that the deletion was looked at before it.
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
        gone = scrape(port)
        assert value(gone, "workspaces", condition="GatewayReady", status="False") == value(
            before, "workspaces", condition="GatewayReady", status="False"
        )
        assert value(gone, "workspaces_not_ready", reason="EndpointPickerScaledToZero") == 0
