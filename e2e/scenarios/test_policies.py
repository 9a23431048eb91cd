"""Policies that others attach to our route or to the Gateway: never fought, and GatewayReady says what they do."""

import base64
import hashlib
import hmac
import json
import time
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.chat import fetch
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

PROBE_SECONDS = 1
QUIET_SECONDS = 5.0
"""Several probes."""
ISSUER = "https://issuer.example.com"
KEY, ANOTHER_KEY = b"the key of the issuer, 32 bytes.", b"a key that the issuer never had."
SECURITY = "security.istio.io/v1"
ENVOY = "gateway.envoyproxy.io/v1alpha1"


def policy(api_version, kind, name, **spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def attached_to(kind, name):
    return [{"group": "gateway.networking.k8s.io", "kind": kind, "name": name}]


def status_of(cluster, url, token=""):
    """The status of a request, with a token where there is one."""
    return fetch(cluster, f"{url}/v1/models", {"Authorization": f"Bearer {token}"} if token else {}).status


def encoded(content):
    """Content of a token or key as RFC 7515 has it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def token_by(key):
    """A token (JWT) of the issuer that is valid for an hour, signed with a key."""
    claims = {"iss": ISSUER, "sub": "a-client", "exp": int(time.time()) + 3600}
    parts = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{parts}.{encoded(hmac.digest(key, parts.encode(), hashlib.sha256))}"


def tokens(target):
    """The policies by which a Gateway reads tokens of the issuer, and lets nobody in without one."""
    keys = json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": encoded(KEY)}]})
    nobody = [{"from": [{"source": {"notRequestPrincipals": ["*"]}}]}]
    return (
        policy(SECURITY, "RequestAuthentication", "tokens", targetRefs=target, jwtRules=[{"issuer": ISSUER, "jwks": keys}]),
        policy(SECURITY, "AuthorizationPolicy", "tokens-only", targetRefs=target, action="DENY", rules=nobody),
    )


def events_of(cluster, namespace):
    listed = workspaces.items(cluster, namespace, "events.v1.events.k8s.io")
    return {event["metadata"]["name"] for event in listed if event["regarding"]["kind"] == "Workspace"}


def ready_since(cluster, namespace):
    """Since when GatewayReady is what it is, which was before the last second."""
    return workspaces.condition(cluster, namespace, "phi", "GatewayReady")["lastTransitionTime"]


def check_restricted(cluster, namespace, url, policies, expected, answers=()):
    """With `policies`, requests get `expected`; the controller says so, writes nothing but its status, and the Workspace stays ready.

    Requests with the tokens of `answers` get the statuses there.
    """
    code, reason, kind = expected
    with ControllerProcess(cluster, "--probe", "models", "--probe-interval", str(PROBE_SECONDS), inside=True) as controller:
        workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", "returned 200")
        before, events, since = controller.writes(namespace), events_of(cluster, namespace), ready_since(cluster, namespace)
        workspaces.apply(cluster, namespace, *policies)
        until(lambda: status_of(cluster, url) == code, f"requests to be answered with {code}")
        found = workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", reason)
        assert found["status"] == "True"
        assert f"({kind})" in found["message"]
        assert f"returned {code}" in found["message"]
        version = workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["resourceVersion"]
        time.sleep(QUIET_SECONDS)
        assert workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["resourceVersion"] == version
        assert [(token, status_of(cluster, url, token)) for token, _ in answers] == [*answers]
        for each in policies:
            cluster.kubectl("delete", each["kind"], each["metadata"]["name"], "-n", namespace)
        until(lambda: status_of(cluster, url) == HTTPStatus.OK, "requests to be answered again")
        workspaces.wait_message(cluster, namespace, "phi", "GatewayReady", "returned 200")
        assert {call for call, _ in (controller.writes(namespace) - before).items()} == {("patch", "workspaces/status")}
        assert events_of(cluster, namespace) == events
        assert ready_since(cluster, namespace) == since, "GatewayReady was not True for a moment"


def serve(cluster, namespace, behind):
    """Have a Workspace behind the Gateway, and return its URL."""
    workspaces.apply(cluster, namespace, workspaces.workspace(gateway=behind))
    with ControllerProcess(cluster, "--probe", "models", inside=True):
        workspaces.wait_ready(cluster, namespace, "phi", "GatewayReady")
    return workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]


def remove(cluster, namespace):
    with ControllerProcess(cluster, inside=True):
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT)


def test_authorization_and_tokens_by_istio(serving_cluster, namespace):
    cluster = serving_cluster
    with workspaces.programmed_gateway(cluster, namespace) as behind:
        url = serve(cluster, namespace, behind)
        target = attached_to("Gateway", behind["parentRefs"][0]["name"])
        without_key = {"key": "request.headers[x-api-key]", "notValues": ["a-key"]}
        keys = policy(SECURITY, "AuthorizationPolicy", "keys", targetRefs=target, action="DENY", rules=[{"when": [without_key]}])
        kinds = "AuthorizationPolicy or RequestAuthentication"
        check_restricted(cluster, namespace, url, [keys], (HTTPStatus.FORBIDDEN, "AccessRestricted", kinds))
        reading, requiring = tokens(target)
        answers = ((token_by(KEY), HTTPStatus.OK), (token_by(ANOTHER_KEY), HTTPStatus.UNAUTHORIZED))
        check_restricted(cluster, namespace, url, [reading, requiring], (HTTPStatus.FORBIDDEN, "AccessRestricted", kinds), answers)
        remove(cluster, namespace)


@pytest.mark.optional_addons
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
