"""Policies that others attach to our route or to the Gateway: never fought, and GatewayReady says what they do."""

import time
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.chat import fetch
from e2e.controller import ControllerProcess
from e2e.waiting import until

PROBE_SECONDS = 1
QUIET_SECONDS = 5.0
"""Several probes."""
SECURITY = "security.istio.io/v1"
ENVOY = "gateway.envoyproxy.io/v1alpha1"


def policy(api_version, kind, name, **spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def attached_to(kind, name):
    return [{"group": "gateway.networking.k8s.io", "kind": kind, "name": name}]


def status_of(cluster, url):
    return fetch(cluster, f"{url}/v1/models").status


def events_of(cluster, namespace):
    listed = workspaces.items(cluster, namespace, "events.v1.events.k8s.io")
    return {event["metadata"]["name"] for event in listed if event["regarding"]["kind"] == "Workspace"}


def check_restricted(cluster, namespace, url, policies, expected):
    """With `policies`, requests get `expected`; the controller says so, writes nothing but its status, and the Workspace stays ready."""
    code, reason, kind = expected
    with ControllerProcess(cluster, "--probe", "models", "--probe-interval", str(PROBE_SECONDS), inside=True) as controller:
        workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", "returned 200")
        before, events = controller.writes(namespace), events_of(cluster, namespace)
        with workspaces.statuses(cluster, namespace, "workspaces.kaito.sh", "GatewayReady") as told:
            workspaces.apply(cluster, namespace, *policies)
            until(lambda: status_of(cluster, url) == code, f"requests to be answered with {code}")
            found = workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", reason)
            assert found["status"] == "True"
            assert f"({kind})" in found["message"]
            assert f"returned {code}" in found["message"]
            version = workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["resourceVersion"]
            time.sleep(QUIET_SECONDS)
            assert workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["resourceVersion"] == version
            for each in policies:
                cluster.kubectl("delete", each["kind"], each["metadata"]["name"], "-n", namespace)
            until(lambda: status_of(cluster, url) == HTTPStatus.OK, "requests to be answered again")
            workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", "returned 200")
            assert next(told) == "True"
        assert {call for call, _ in (controller.writes(namespace) - before).items()} == {("patch", "workspaces/status")}
        assert events_of(cluster, namespace) == events


def serve(cluster, namespace, behind):
    """Have a Workspace behind the Gateway, and return its URL."""
    workspaces.apply(cluster, namespace, workspaces.workspace(gateway=behind))
    with ControllerProcess(cluster, "--probe", "models", inside=True):
        workspaces.wait_ready(cluster, namespace, "phi", "GatewayReady", 120)
    return workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]


def remove(cluster, namespace):
    with ControllerProcess(cluster, inside=True):
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, "--timeout=60s")


def test_authorization_by_istio(serving_cluster, namespace):
    cluster = serving_cluster
    with workspaces.programmed_gateway(cluster, namespace) as behind:
        url = serve(cluster, namespace, behind)
        target = attached_to("Gateway", behind["parentRefs"][0]["name"])
        without_key = {"key": "request.headers[x-api-key]", "notValues": ["a-key"]}
        keys = policy(SECURITY, "AuthorizationPolicy", "keys", targetRefs=target, action="DENY", rules=[{"when": [without_key]}])
        kinds = "AuthorizationPolicy or RequestAuthentication"
        check_restricted(cluster, namespace, url, [keys], (HTTPStatus.FORBIDDEN, "AccessRestricted", kinds))
        remove(cluster, namespace)


@pytest.mark.optional_addons
@pytest.mark.timeout(600)
def test_authentication_and_rate_limits_by_envoy_gateway(envoy_gateway_cluster):
    cluster, namespace = envoy_gateway_cluster, "default"
    with workspaces.programmed_gateway(cluster, namespace, ENVOY_GATEWAY.name) as behind:
        url = serve(cluster, namespace, behind)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"client": "a-key"}}
        workspaces.apply(cluster, namespace, secret)
        target = attached_to("HTTPRoute", "phi")
        by_key = {"credentialRefs": [{"name": "keys"}], "extractFrom": [{"headers": ["x-api-key"]}]}
        keys = policy(ENVOY, "SecurityPolicy", "keys", targetRefs=target, apiKeyAuth=by_key)
        check_restricted(cluster, namespace, url, [keys], (HTTPStatus.UNAUTHORIZED, "AccessRestricted", "SecurityPolicy"))
        limit = {"type": "Local", "local": {"rules": [{"limit": {"requests": 1, "unit": "Hour"}}]}}
        limits = policy(ENVOY, "BackendTrafficPolicy", "limits", targetRefs=target, rateLimit=limit)
        expected = (HTTPStatus.TOO_MANY_REQUESTS, "RateLimited", "BackendTrafficPolicy")
        check_restricted(cluster, namespace, url, [limits], expected)
        remove(cluster, namespace)
