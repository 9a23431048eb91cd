"""Whoever writes the status of a Gateway chooses where the controller connects to: nothing is gained by that."""

import json
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

PROBING = ("--probe", "models", "--probe-interval", "1")
CLASS = "gatewayclass/istio"
REFUSED = {
    "127.0.0.1": "loopback addresses are not probed",
    "::ffff:127.0.0.1": "loopback addresses are not probed",
    "localhost": "loopback addresses are not probed",
    "169.254.169.254": "link-local addresses are not probed",
    "0.0.0.0": "unspecified addresses are not probed",
}


@contextmanager
def internal_server():
    """A server on this machine that answers with a secret; yields its port and the headers of the requests that it gets."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(dict(self.headers))
            self.send_response(HTTPStatus.INTERNAL_SERVER_ERROR)
            self.end_headers()
            self.wfile.write(b"password: hunter2")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, requests
        server.shutdown()


def played_gateway(port):
    gateway, service, endpoints = workspaces.played_gateway()
    for entry in (gateway["spec"]["listeners"][0], service["spec"]["ports"][0], endpoints["ports"][0]):
        entry["port"] = port
    return gateway, service, endpoints


@pytest.fixture
def unjudged(installed):
    """Have nobody write the statuses of Gateways, once the test stops the judge by calling this."""
    yield lambda: installed.stop_program("istiod")
    installed.start_program("istiod")
    installed.kubectl("wait", CLASS, "--for=condition=Accepted", KUBECTL_TIMEOUT)


def set_address(cluster, namespace, address):
    kind = "Hostname" if address == "localhost" else "IPAddress"
    change = json.dumps({"status": {"addresses": [{"type": kind, "value": address}]}})
    cluster.kubectl(
        "patch", "gateway", "inference-gateway", "-n", namespace, "--subresource=status", "--type=merge", "-p", change, actor="user"
    )


def test_addresses_in_a_gateway_s_status_lead_the_controller_nowhere(installed, plane_namespace, unjudged):
    cluster, namespace = installed, plane_namespace
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}, "stringData": {"token": "s3cret"}}
    with internal_server() as (port, requests):
        workspaces.apply(cluster, namespace, secret, *played_gateway(port))
        with ControllerProcess(cluster):
            document = workspaces.workspace("phi", gateway=workspaces.behind("inference-gateway", namespace))
            workspaces.apply(cluster, namespace, document)
            workspaces.wait_ready(cluster, namespace, "phi")
        unjudged()
        token = ("--probe-secret", f"{namespace}/probe")
        with ControllerProcess(cluster, *PROBING, *token):
            for address, words in REFUSED.items():
                set_address(cluster, namespace, address)
                workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", words)
        assert requests == []
        with ControllerProcess(cluster, *PROBING, *token, "--probe-network", "127.0.0.0/8"):
            set_address(cluster, namespace, "127.0.0.1")
            # A probe of a busy machine may fail otherwise before.
            found = workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", "returned 500")
            assert found["reason"] == "ProbeFailed"
        assert "hunter2" not in json.dumps(workspaces.get(cluster, namespace, "workspace", "phi"))
        assert requests
        assert not any("Authorization" in headers for headers in requests)
    cluster.kubectl("delete", "gateway", "inference-gateway", "-n", namespace)
