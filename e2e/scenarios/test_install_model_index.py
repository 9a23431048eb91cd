"""The list of models on real Gateways: what clients read, what they are told of unknown models, and what it yields to."""

from http import HTTPStatus
from urllib.parse import urlsplit

import pytest

from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.chat import chat, fetch
from e2e.openai_client import NotFoundError, answer_of, models_in
from e2e.release import FORBIDDEN, GATE, NAMESPACE, NO_FLUX, Release
from e2e.waiting import until

INDEX = {"modelIndex": {"enabled": True, "namespaces": "all"}}
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:workspace-ctrl-models"
MODEL = "phi-4-mini-instruct"


class Gateway:
    """A Gateway as its clients see it."""

    def __init__(self, cluster, url):
        self.cluster = cluster
        parts = urlsplit(url)
        self.url, self.path = f"{parts.scheme}://{parts.netloc}", parts.path

    def models(self, base=""):
        """Path and readiness of each model by name; None where nobody answers as OpenAI's API does."""
        answer = fetch(self.cluster, f"{self.url}{base}/v1/models")
        if answer.status != HTTPStatus.OK:
            return None
        return {entry["id"]: (entry.get("x-path"), entry.get("x-ready")) for entry in models_in(answer_of(200, answer.text))}

    def ask(self, model):
        answer = chat(self.cluster, self.url, model, "hello")
        return answer_of(answer.status, answer.text)


def check(release, namespace, behind):
    """Follow the list from the first model to the end of the setting."""
    cluster = release.cluster
    workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, namespace, "phi", "Ready", seconds=120)
    gateway = Gateway(cluster, workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"])
    listed = {MODEL: (f"/{namespace}/phi", True)}
    until(lambda: gateway.models() == listed, "the list of models")
    with pytest.raises(NotFoundError, match=rf"'gpt-4' does not exist here.*{MODEL} \({gateway.path}/v1\)") as caught:
        gateway.ask("gpt-4")
    assert caught.value.code == "model_not_found"
    # Its own path is the model's.
    assert gateway.models(gateway.path) == {MODEL: (None, None)}
    assert chat(cluster, f"{gateway.url}{gateway.path}", MODEL, "hello").status == HTTPStatus.OK

    rest = workspaces.workspace("rest", gateway={**behind, "match": {"catchAll": True}})
    workspaces.apply(cluster, namespace, rest)
    workspaces.wait_ready(cluster, namespace, "rest", "Ready", seconds=120)
    until(lambda: gateway.models() == {MODEL: (None, None)}, "the model to answer for itself")
    cluster.kubectl("delete", "workspace", "rest", "-n", namespace, "--timeout=60s")
    until(lambda: gateway.models() == listed, "the list of models again")

    calls = cluster.audit_events(ACCOUNT)
    assert {event["verb"] for event in calls} <= {"list", "watch"}
    assert [event for event in calls if event["responseStatus"]["code"] == FORBIDDEN] == []


def test_clients_list_the_models_of_a_gateway_until_the_setting_ends(release, team, behind):
    release.upgrade(GATE, INDEX)
    check(release, team, behind)
    cluster, gateway = release.cluster, workspaces.get(release.cluster, team, "workspace", "phi")["status"]["gateway"]
    release.upgrade(GATE)
    until(lambda: not workspaces.items(cluster, NAMESPACE, "httproutes"), "the routes to go with the Service")
    until(lambda: Gateway(cluster, gateway["url"]).models() is None, "the Gateway to answer by itself")
    assert chat(cluster, gateway["url"], MODEL, "hello").status == HTTPStatus.OK
    assert release.forbidden() == {}


@pytest.mark.optional_addons
@pytest.mark.timeout(600)
def test_clients_list_the_models_behind_envoy_gateway(envoy_gateway_cluster):
    release = Release(envoy_gateway_cluster)
    release.upgrade(GATE, NO_FLUX, {"crds": {"install": False}}, INDEX)
    with workspaces.programmed_gateway(envoy_gateway_cluster, "default", ENVOY_GATEWAY.name) as behind:
        check(release, "default", behind)
