"""The plane form: the API, Flux and Istio's judgement are real, pods are played."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import os
import signal

import pytest

from e2e.cluster.tests.manifests import chart_objects, engine, eventually, gateway_objects
from e2e.waiting import KUBECTL_TIMEOUT


@pytest.fixture
def get(plane, plane_namespace):
    return lambda target: json.loads(plane.kubectl("get", target, "--namespace", plane_namespace, "--output=json"))


@pytest.fixture
def applied(plane, plane_namespace):
    for value in (*chart_objects(plane), *gateway_objects(), engine("engine")):
        plane.kubectl("apply", "--namespace", plane_namespace, "--filename=-", input=json.dumps(value))


@pytest.mark.usefixtures("applied")
def test_a_chart_is_installed_and_its_route_is_judged(plane, plane_namespace, get):
    for target, condition in (("helmrelease/pool", "Ready"), ("deployment/pool-epp", "Available"), ("pod/engine", "Ready")):
        plane.kubectl("wait", "--namespace", plane_namespace, f"--for=condition={condition}", target, KUBECTL_TIMEOUT)

    def judgement():
        parents = get("httproute/route").get("status", {}).get("parents") or [{"conditions": []}]
        return {condition["type"]: condition["status"] for condition in parents[0]["conditions"]}

    # The route was there before its pool, and Istio may have judged it then.
    expected = {"Accepted": "True", "ResolvedRefs": "True"}
    eventually(lambda: judgement() == expected)
    assert judgement() == expected


def test_the_simulated_node_has_gpus(plane):
    node = json.loads(plane.kubectl("get", "node", plane.gpu_node_name, "--output=json"))
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"


def test_istio_s_judge_is_started_again_when_it_dies(plane):
    def judge():
        return next(program for program in plane.control.status() if program.name == "istiod")

    before = judge()
    os.kill(before.pid, signal.SIGKILL)
    after = eventually(lambda: program if (program := judge()).pid != before.pid else None)
    assert after.state == "running"


def test_processes_inside_are_processes_of_the_host(plane):
    result = plane.run(["kubectl", "get", "--raw=/readyz"])
    assert (result.returncode, result.stdout) == (0, "ok")


def test_a_command_gets_input_and_environment(plane):
    assert plane.run(["sh", "-c", 'read line; echo "$line $X"'], input="hello\n", env={"X": "there"}).stdout == "hello there\n"
