"""What Prometheus sees of a running controller."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e import workspaces
from e2e.cluster.settings import free_port
from e2e.controller import PROGRESS_SECONDS, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until, until_equal
from tests.certificates import make_certificate

PREFIX = "workspace_ctrl_"
PASS_COUNT = 5
PASS_LIMIT = 24
"""Measured: 13 to 18; each event of an object that a pass reads may make one due, and events within 0.3 s share one under load."""


@pytest.fixture
def port():
    return free_port()


def scrape(port):
    """The samples as (name, labels) → value, and the text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_SECONDS) as response:
        text = response.read().decode()
    samples = {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return samples, text


def value(samples, name, **labels):
    return samples.get((name, frozenset(labels.items())))


def wait_for(port, expected, name, **labels):
    """Wait until a metric has a value."""
    until_equal(lambda: value(scrape(port)[0], name, **labels), expected, name)


def test_the_number_of_passes_from_create_to_ready_is_bounded(installed, plane_namespace, gateway, port, capsys):
    names = [f"phi-{number}" for number in range(PASS_COUNT)]
    gateway_field = workspaces.behind(gateway, plane_namespace)
    with ControllerProcess(installed, "--namespace", plane_namespace, "--metrics-port", str(port)):
        began = time.monotonic()
        workspaces.apply(installed, plane_namespace, *(workspaces.workspace(name, gateway=gateway_field) for name in names))
        for name in names:
            workspaces.wait_ready(installed, plane_namespace, name, "Ready")
        samples, _ = scrape(port)
        seconds = time.monotonic() - began
    passes = sum(count for (name, _), count in samples.items() if name == "reconcile_total")
    with capsys.disabled():
        print(f"\n  passes per Workspace from create to ready: {passes / PASS_COUNT:.1f}, in {seconds:.1f} s")
    # Mere progress is looked at this often, so on a slow machine there are more passes.
    assert passes <= (PASS_LIMIT + seconds / PROGRESS_SECONDS) * PASS_COUNT


def test_metrics_follow_a_workspace(installed, plane_namespace, gateway, port):
    namespace = plane_namespace
    with ControllerProcess(installed, "--namespace", namespace, "--metrics-port", str(port)):
        workspaces.apply(installed, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace)))
        workspaces.wait_ready(installed, namespace, "phi", "Ready")
        wait_for(port, 1, "stage_seconds_count", stage="gateway_ready")
        samples, text = scrape(port)
        assert value(samples, "workspaces", condition="GatewayReady", status="True") == 1
        assert value(samples, "reconcile_total", result="success") > 0
        assert value(samples, "reconcile_time_seconds_count") >= value(samples, "reconcile_total", result="success")
        assert value(samples, "reconcile_total", result="panic") == 0
        assert value(samples, "api_requests_total", verb="patch", resource="services", code="201") == 1
        assert value(samples, "workqueue_depth") is not None
        assert value(samples, "event_loop_lag_seconds_count") > 0
        for stage in ("workload_accepted", "inference_ready", "chart_ready"):
            assert value(samples, "stage_seconds_sum", stage=stage) <= value(samples, "stage_seconds_sum", stage="gateway_ready")
        assert value(samples, "gateway_ready_flaps_total") == 0
        assert namespace not in text
        assert '"phi' not in text
        release = ("helmrelease", "phi-inferencepool", "-n", namespace, "--type=merge")
        installed.kubectl("patch", *release, "-p", json.dumps({"spec": {"suspend": True}}), actor="user")
        wait_for(port, 1, "workspaces_not_ready", reason="Paused")
        wait_for(port, 1, "gateway_ready_flaps_total")
        installed.kubectl("patch", *release, "-p", json.dumps({"spec": {"suspend": False}}), actor="user")
        wait_for(port, None, "workspaces_not_ready", reason="Paused")
        installed.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        wait_for(port, None, "workspaces", condition="GatewayReady", status="True")
        assert value(scrape(port)[0], "gateway_ready_flaps_total") == 1


@pytest.fixture
def reader(installed, plane_namespace):
    """A ServiceAccount's token, and what binds it to the right to read metrics."""
    name = f"metrics-{plane_namespace}"
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "prometheus", "namespace": plane_namespace}
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    role["rules"] = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    binding = {**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]}
    del binding["rules"]
    workspaces.apply(installed, plane_namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus"}})
    token = installed.kubectl("create", "token", "prometheus", "-n", plane_namespace).strip()
    yield token, lambda: installed.kubectl("apply", "-f", "-", input=f"{json.dumps(role)}\n---\n{json.dumps(binding)}")
    installed.kubectl("delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found")


def secured(port, token=""):
    """The status of a request by HTTPS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = urllib.request.Request(f"https://127.0.0.1:{port}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=WAIT_SECONDS, context=context) as response:  # noqa: S310 - our own URL
            assert PREFIX in response.read().decode()
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_secured_metrics_are_for_tokens_that_the_api_server_allows_to_read_them(installed, plane_namespace, port, reader, tmp_path):
    make_certificate(tmp_path, "metrics")
    token, grant = reader
    options = ("--namespace", plane_namespace, "--metrics-port", str(port), "--metrics-certificates", str(tmp_path))
    with ControllerProcess(installed, *options) as controller:
        assert secured(port) == 401
        assert secured(port, "no.such.token") == 401
        assert secured(port, token) == 403
        grant()
        until(lambda: secured(port, token) == 200, "the token to be allowed: a refusal is cached for some seconds")
        assert token not in "\n".join(controller.log)


def test_a_port_that_is_taken_is_told_in_a_sentence(installed, port):
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        controller = ControllerProcess(installed, "--metrics-port", str(port))
        words = f"--metrics-port {port}: .*use another port, or 0 to disable"
        with pytest.raises(AssertionError, match=words), controller:  # one that starts nevertheless is stopped
            pass
    assert not any("Traceback" in line for line in controller.log)
