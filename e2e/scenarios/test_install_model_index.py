"""The list of models on real Gateways: what clients read, what they are told of unknown models, and what it yields to."""

import json
import sys
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import e2e.openai_requests
from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.chat import chat
from e2e.release import FORBIDDEN, GATE, NAMESPACE, NO_FLUX, Release
from e2e.waiting import KUBECTL_TIMEOUT, until

INDEX = {"modelIndex": {"enabled": True, "namespaces": "all"}}
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:workspace-ctrl-models"
MODEL = "phi-4-mini-instruct"
ALIAS = "microsoft/phi-4"
BODY_BYTES = 10 << 20


class Gateway:
    """A Gateway as users of OpenAI's Python client see it."""

    def __init__(self, cluster, url):
        self.cluster = cluster
        parts = urlsplit(url)
        self.url, self.path = f"{parts.scheme}://{parts.netloc}", parts.path

    def models(self, base=""):
        """Path and readiness of each model by name; None where nobody answers as OpenAI's API does."""
        answer = self.client("list", base=base)
        if "models" not in answer:
            return None
        return {entry["id"]: (entry.get("x-path"), entry.get("x-ready")) for entry in answer["models"]}

    def client(self, *request, base=""):
        """What the client returns or raises (`e2e/openai_requests.py`)."""
        script = str(Path(e2e.openai_requests.__file__))
        result = self.cluster.run([sys.executable, script, f"{self.url}{base}/v1", *request])
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


def check_unknown(gateway, found):
    """A model that is not there is not found, and the error names those that are."""
    assert (found["error"], found["code"], found["status"]) == ("NotFoundError", "model_not_found", HTTPStatus.NOT_FOUND)
    assert f"{MODEL} ({gateway.path}/v1)" in found["message"]


def check(release, namespace, behind, since):
    """Follow the list from the first model to the end of the setting; `since` is the audit log's place from before the installation.

    A list of models that was removed before that may have asked after its rights had gone.
    """
    cluster = release.cluster
    workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway={**behind, "aliases": [ALIAS]}))
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
    gateway = Gateway(cluster, workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"])
    listed = dict.fromkeys([MODEL, ALIAS], (f"/{namespace}/phi", True))
    until(lambda: gateway.models() == listed, "the list of models")
    assert gateway.models(f"/{namespace}") == listed
    assert gateway.client("retrieve", ALIAS)["model"]["owned_by"] == namespace
    for request in ("chat", "stream", "retrieve"):
        check_unknown(gateway, gateway.client(request, "gpt-4"))
    # A body that is too large to be read is answered as well, without the name of the model.
    assert gateway.client("chat", "gpt-4", str(BODY_BYTES))["code"] == "model_not_found"
    # Its own path is the model's.
    assert gateway.models(gateway.path).keys() == {MODEL, ALIAS}
    assert gateway.client("chat", MODEL, base=gateway.path)["content"]
    answer = gateway.client("stream", ALIAS, base=gateway.path)
    assert answer["content"]
    assert answer["parts"] > 1

    rest = workspaces.workspace("rest", gateway={**behind, "match": {"catchAll": True}})
    workspaces.apply(cluster, namespace, rest)
    workspaces.wait_ready(cluster, namespace, "rest", "Ready")
    until(lambda: gateway.models() == {MODEL: (None, None)}, "the model to answer for itself")
    cluster.kubectl("delete", "workspace", "rest", "-n", namespace, KUBECTL_TIMEOUT)
    until(lambda: gateway.models() == listed, "the list of models again")

    calls = cluster.audit_events(ACCOUNT, since)
    assert {event["verb"] for event in calls} <= {"list", "watch"}
    assert [event for event in calls if event["responseStatus"]["code"] == FORBIDDEN] == []


def test_clients_list_the_models_of_a_gateway_until_the_setting_ends(release, team, behind_its_own):
    since = release.cluster.audit_place()
    release.upgrade(GATE, INDEX)
    check(release, team, behind_its_own, since)
    cluster, gateway = release.cluster, workspaces.get(release.cluster, team, "workspace", "phi")["status"]["gateway"]
    release.upgrade(GATE)
    until(lambda: not workspaces.items(cluster, NAMESPACE, "httproutes"), "the routes to go with the Service")
    until(lambda: Gateway(cluster, gateway["url"]).models() is None, "the Gateway to answer by itself")
    assert chat(cluster, gateway["url"], MODEL, "hello").status == HTTPStatus.OK
    assert release.forbidden() == {}


@pytest.mark.optional_addons
def test_clients_list_the_models_behind_envoy_gateway(envoy_gateway_cluster):
    release, since = Release(envoy_gateway_cluster), envoy_gateway_cluster.audit_place()
    release.upgrade(GATE, NO_FLUX, {"crds": {"install": False}}, INDEX)
    with workspaces.programmed_gateway(envoy_gateway_cluster, "default", ENVOY_GATEWAY.name) as behind:
        check(release, "default", behind, since)
