"""Priorities for real: the endpoint picker finds the objective that a request names."""

import json
from http import HTTPStatus

import pytest
import yaml

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

HEADER = "x-gateway-inference-objective"
PRIORITIES = {"v1": 10, "v2": 5}
"""Members of a group, and the priority of the objective of each."""
REQUESTS = 24
"""Of which each of two members gets some: that one gets none has a probability of 1 in 8 million."""


def ask(cluster, url, *headers):
    body = json.dumps({"model": "phi-4-mini-instruct", "messages": [{"role": "user", "content": "hello"}]})
    given = [part for header in ("Content-Type: application/json", *headers) for part in ("-H", header)]
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *given, "-d", body]
    return int(cluster.run([*command, f"{url}/v1/chat/completions"]).stdout)


def assembled(cluster, namespace, name="phi"):
    """What the endpoint picker of a Workspace says of each request: the objective that it names, and the priority that it has."""
    log = cluster.kubectl("logs", f"deployment/{name}-inferencepool-epp", "-n", namespace)
    lines = [json.loads(line) for line in log.splitlines() if "LLM request assembled" in line]
    return {(line["objectiveKey"], line["priority"]) for line in lines}


def wait_assembled(cluster, namespace, member, expected):
    """Wait until the endpoint picker of a member has logged what is expected; return all that it has logged of named objectives."""
    until(lambda: assembled(cluster, namespace, member) >= expected, f"the endpoint picker of {member} to log {expected}")
    return {entry for entry in assembled(cluster, namespace, member) if entry[0].endswith(".interactive")}


@pytest.fixture
def verbose(tmp_path):
    """Settings by which endpoint pickers log each request."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"endpointPicker": {"values": {"inferenceExtension": {"flags": {"v": 4}}}}}))
    return path


def test_a_request_that_names_an_objective_has_its_priority(serving_cluster, namespace, verbose):
    cluster = serving_cluster
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


def test_an_objective_of_a_member_has_its_priority_at_the_picker_of_that_member_only(serving_cluster, namespace, verbose):
    cluster = serving_cluster
    with (
        workspaces.programmed_gateway(cluster, namespace) as behind,
        ControllerProcess(cluster, "--config", str(verbose), "--probe", "models", inside=True),
    ):
        for name, priority in PRIORITIES.items():
            field = {**behind, "group": {"name": "chat"}, "objectives": [{"name": "interactive", "priority": priority}]}
            workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=field))
        for name in PRIORITIES:
            workspaces.wait_ready(cluster, namespace, name, "Ready")
            workspaces.wait_ready(cluster, namespace, name, "ObjectivesReady")
            workspaces.wait_ready(cluster, namespace, name, "GroupReady")
        url = workspaces.get(cluster, namespace, "workspace", "v1")["status"]["gateway"]["group"]["url"]
        until(lambda: ask(cluster, url) == HTTPStatus.OK, "the group to answer")
        for objective in (f"{name}.interactive" for name in PRIORITIES for _ in range(REQUESTS)):
            assert ask(cluster, url, f"{HEADER}: {objective}") == HTTPStatus.OK
        for member in PRIORITIES:
            expected = {(f"{name}.interactive", priority if name == member else 0) for name, priority in PRIORITIES.items()}
            assert wait_assembled(cluster, namespace, member, expected) == expected
        cluster.kubectl("delete", "workspace", *PRIORITIES, "-n", namespace, KUBECTL_TIMEOUT)
