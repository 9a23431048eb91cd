"""The list of models on a real API server: where its routes are, what they yield to, who removes them, and what is answered."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
import yaml

from e2e import workspaces
from e2e.cluster.settings import free_port
from e2e.controller import ACTOR, ControllerProcess
from e2e.openai_requests import ask, client_of
from e2e.release import NAMESPACE
from e2e.waiting import WAIT_SECONDS, until

SERVICE = "workspace-ctrl-models"
SELECTOR = f"workspace-ctrl/model-index={SERVICE}"
HEADER = "X-Workspace-Ctrl-Index"


@pytest.fixture
def service(installed):
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": {"ports": [{"port": 80}]}}
    workspaces.apply(installed, NAMESPACE, document)
    yield SERVICE
    installed.kubectl("delete", "service", SERVICE, "-n", NAMESPACE, "--ignore-not-found")
    installed.kubectl("delete", "httproutes", "-n", NAMESPACE, "-l", SELECTOR)


@pytest.fixture
def config(service, tmp_path):
    path = tmp_path / "settings.yaml"
    settings = {"enabled": True, "namespaces": "all", "service": {"namespace": NAMESPACE, "name": service}}
    path.write_text(yaml.safe_dump({"modelIndex": settings}))
    return path


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def routes(cluster, namespace):
    """The routes of the list on the Gateway of the test."""
    found = workspaces.items(cluster, NAMESPACE, "httproutes", SELECTOR)
    return [route for route in found if route["spec"]["parentRefs"][0]["namespace"] == namespace]


def wait_routes(cluster, namespace, number):
    until(lambda: len(routes(cluster, namespace)) == number, f"{number} routes of the list of models")


def rival(name, gateway, namespace, path):
    parent = {"name": gateway, "namespace": namespace}
    match = {"path": {"type": "PathPrefix", "value": path}}
    spec = {"parentRefs": [parent], "rules": [{"matches": [match], "backendRefs": [{"name": "web", "port": 80}]}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_the_list_is_where_models_are_yields_to_whatever_takes_the_rest_and_goes_with_the_last(
    installed, plane_namespace, gateway, behind, config
):
    with ControllerProcess(installed, f"--config={config}"):
        assert routes(installed, plane_namespace) == []
        workspaces.apply(installed, plane_namespace, workspaces.workspace("one", gateway=behind))
        wait_routes(installed, plane_namespace, 1)
        (made,) = routes(installed, plane_namespace)
        assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == [SERVICE]
        assert made["spec"]["rules"][0]["backendRefs"][0]["name"] == SERVICE

        workspaces.apply(installed, plane_namespace, rival("web", gateway, plane_namespace, "/web"))
        workspaces.apply(installed, plane_namespace, rival("rest", gateway, plane_namespace, "/"))
        wait_routes(installed, plane_namespace, 0)
        installed.kubectl("delete", "httproute", "rest", "-n", plane_namespace)
        wait_routes(installed, plane_namespace, 1)

        everything = workspaces.workspace("everything", gateway={**behind, "match": {"catchAll": True}})
        workspaces.apply(installed, plane_namespace, everything)
        wait_routes(installed, plane_namespace, 0)
        installed.kubectl("delete", "workspace", "everything", "-n", plane_namespace)
        wait_routes(installed, plane_namespace, 1)

        (made,) = routes(installed, plane_namespace)
        name = made["metadata"]["name"]
        edit = '[{"op": "replace", "path": "/spec/rules/0/matches/0/path/value", "value": "/v1"}]'
        installed.kubectl("patch", "httproute", name, "-n", NAMESPACE, "--type=json", "-p", edit, actor="user")
        until(lambda: routes(installed, plane_namespace)[0]["spec"] == made["spec"], "the route to be as before")

    with ControllerProcess(installed, f"--config={config}") as restarted:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("two", gateway=behind))
        workspaces.wait_ready(installed, plane_namespace, "two")
        assert restarted.writes(NAMESPACE) == {}
        installed.kubectl("delete", "workspaces", "--all", "-n", plane_namespace)
        wait_routes(installed, plane_namespace, 0)


@contextmanager
def index_process(cluster, config):
    """The process that answers; yields the URL at which Gateways would ask."""
    port, health = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "workspace_ctrl",
        "model-index",
        f"--config={config}",
        f"--port={port}",
        f"--health-port={health}",
    ]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_for(ACTOR))}
    with subprocess.Popen(command, env=environment) as process:
        try:
            until(lambda: is_open(port), "the list of models to be served")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(WAIT_SECONDS) == 0


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_process_answers_for_the_gateway_that_asks(installed, plane_namespace, behind, config):
    with ControllerProcess(installed, f"--config={config}"), index_process(installed, config) as url:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=behind))
        workspaces.wait_ready(installed, plane_namespace, "phi")
        wait_routes(installed, plane_namespace, 1)
        (route,) = routes(installed, plane_namespace)
        (header,) = route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["set"]
        key, path = {HEADER: header["value"]}, f"/{plane_namespace}/phi"
        with client_of(f"{url}/v1", key) as client:
            until(lambda: ready_models(client) == [("phi-4-mini-instruct", path)], "the model to be listed")
            check_unknown(client, path)
        with client_of(f"{url}/v1") as outsider:
            assert ask(outsider, "list")["code"] == "not_found"


def ready_models(client):
    """Name and path of the ready models; none while the process does not know the Gateway yet."""
    return [(model["id"], model["x-path"]) for model in ask(client, "list").get("models", ()) if model["x-ready"]]


def check_unknown(client, path):
    """A model that is not there is not found, and the error names those that are."""
    found = ask(client, "chat", "gpt-4")
    assert (found["error"], found["code"]) == ("NotFoundError", "model_not_found")
    assert f"phi-4-mini-instruct ({path}/v1)" in found["message"]
