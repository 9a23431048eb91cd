"""Priorities for real: the endpoint picker finds the objective that a request names."""

import json
from http import HTTPStatus

import yaml

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until

HEADER = "x-gateway-inference-objective"


def ask(cluster, url, *headers):
    body = json.dumps({"model": "phi-4-mini-instruct", "messages": [{"role": "user", "content": "hello"}]})
    given = [part for header in ("Content-Type: application/json", *headers) for part in ("-H", header)]
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *given, "-d", body]
    return int(cluster.run([*command, f"{url}/v1/chat/completions"]).stdout)


def assembled(cluster, namespace):
    """What the endpoint picker says of each request: the objective that it names, and the priority that it has."""
    log = cluster.kubectl("logs", "deployment/phi-inferencepool-epp", "-n", namespace)
    lines = [json.loads(line) for line in log.splitlines() if "LLM request assembled" in line]
    return {(line["objectiveKey"], line["priority"]) for line in lines}


def test_a_request_that_names_an_objective_has_its_priority(serving_cluster, namespace, tmp_path):
    cluster = serving_cluster
    verbose = tmp_path / "settings.yaml"
    verbose.write_text(yaml.safe_dump({"endpointPicker": {"values": {"inferenceExtension": {"flags": {"v": 4}}}}}))
    workspaces.apply(cluster, namespace, workspaces.gateway())
    objectives = [{"name": "interactive", "priority": 10}, {"name": "batch", "priority": -1}]
    spec = {**workspaces.behind("inference-gateway", namespace), "objectives": objectives}
    url = f"http://inference-gateway-istio.{namespace}.svc.cluster.local/{namespace}/phi"
    with ControllerProcess(cluster, "--config", str(verbose), "--probe", "models", inside=True):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=spec))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        workspaces.wait_ready(cluster, namespace, "phi", "ObjectivesReady")
        names = workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["objectives"]
        assert names == ["phi.interactive", "phi.batch"]
        for name in (*names, "unknown"):
            assert ask(cluster, url, f"{HEADER}: {name}") == HTTPStatus.OK
        expected = {("phi.interactive", 10), ("phi.batch", -1), ("unknown", 0)}
        until(lambda: assembled(cluster, namespace) >= expected, "the endpoint picker's word on three requests")
    cluster.kubectl("delete", "gateway", "inference-gateway", "-n", namespace)
