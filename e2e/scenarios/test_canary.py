"""A canary for real: one that fails some requests is stopped, a good one gets all, and killed controllers change nothing of it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

import e2e.openai_users
from e2e import workspaces
from e2e.agreement.scene import ENVOY_GATEWAY
from e2e.cluster.images import COUNTING_VLLM_IMAGE
from e2e.controller import ControllerProcess
from e2e.scenarios.test_traffic import FAST, GROUP, IN_A_ROW, MODEL, Answers, version_of, weights
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until

INTERVAL_SECONDS = 10
"""So long that no step is over between two looks at it, although this process may stand still for seconds."""
STEPS = [10, 50, 100]
REACTION_SECONDS = 30.0
"""The most from the end of an interval to the next look, the status and the route, with other tests on the same cores; on idle ones it is
about one (docs/concepts/traffic.md)."""
FAIL_EVERY = 20
MORE = 100
"""Answers after those by which the canary counts as stopped."""
MOST_LATENCY_RATIO = 100
"""The most that there is: a pod that stands still for seconds, on a machine with too much to do, is not what is judged here."""
PORT, BEHIND = 8000, 8001
USERS = 20
"""Of OpenAI's client, each of which keeps a connection open."""
MOST_RETRIES_BY_ENVOY_GATEWAY = USERS + 5
"""When the last route to a pool goes, it answers the next request of each open connection with 500, whatever pool that leads to. Requests
of the moment at which the proxy takes over its new listener may be among them."""
MOST_LOST_BY_ENVOY_GATEWAY = 5
"""Of some 2,200 requests while a canary is promoted, on a busy machine: none in three trials, 1 and 3 in two, within 40 ms, with 503 and
without a body."""


@pytest.fixture
def behind(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


def version(name, behind, *, fail_every=0, **group):
    """A version of the model, whose server fails one of so many requests."""
    serve = ["vllm", "serve", MODEL, f"--port={BEHIND}"]
    server = {
        "name": "server",
        "image": COUNTING_VLLM_IMAGE,
        "command": ["/usr/bin/python3", "/counting.py", str(PORT), str(BEHIND), *serve],
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "FAIL_EVERY", "value": str(fail_every)},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 10,
        },
    }
    template = {"spec": {"containers": [server]}}
    return workspaces.workspace(name, inference={"template": template}, gateway={**behind, "group": {"name": GROUP, **group}})


def canary(behind, **fields):
    steps = {"steps": STEPS, "interval": f"{INTERVAL_SECONDS}s", "maxErrorRate": "1%", "maxLatencyRatio": MOST_LATENCY_RATIO}
    return version("v2", behind, canary=steps, **fields)


def state(cluster, namespace):
    """How far the canary is, as its status says."""
    status = workspaces.get(cluster, namespace, "workspace", "v2").get("status", {})
    return status.get("gateway", {}).get("group", {}).get("canary", {})


class _KilledError(Exception):
    """Ends the context of a controller that was killed, which would else be an error of it."""


@contextmanager
def killed_at_the_end(cluster):
    """A controller that gets no moment to finish anything."""
    with suppress(_KilledError), ControllerProcess(cluster, inside=True) as controller:
        yield controller
        os.kill(controller.pid, signal.SIGKILL)
        until(lambda: not controller.is_running, "the controller to be gone")
        raise _KilledError


def failed_since(answers, moment):
    return [entry for entry in answers.since(moment) if entry["status"] != HTTPStatus.OK]


def check_stopped(cluster, namespace, answers):
    """A canary that fails 5 % is stopped within one interval, at most 1 % of all requests have seen it, and it stays so."""
    until(lambda: weights(cluster, namespace) == "v1=90,v2=10", "the canary to have its share")
    began = time.time()
    until(lambda: weights(cluster, namespace) == "v1=100", "the canary to be stopped")
    seconds = time.time() - began
    stopped = time.time()
    found, all_of_them = failed_since(answers, began), answers.since(began)
    share = len(found) / len(all_of_them)
    # The status may be written after the route.
    told = workspaces.wait_reason(cluster, namespace, "v2", "CanaryProgressing", "CanaryErrors")
    print(f"stopped after {seconds:.1f} s: {len(found)} of {len(all_of_them)} requests failed ({share:.2%}); {told['message']}")
    assert seconds <= INTERVAL_SECONDS + REACTION_SECONDS
    assert share <= 0.01
    assert (told["status"], told["reason"]) == ("False", "CanaryErrors")
    assert "requests failed" in told["message"]
    settled = answers.wait_all_from("v1", IN_A_ROW, stopped)  # after requests that were under way
    until(lambda: len(answers.since(settled)) >= IN_A_ROW + MORE, "more answers")
    assert [entry for entry in answers.since(settled) if version_of(entry) != "v1"] == []


def check_events(cluster, namespace, *reasons):
    """All these events come; they are written after the status that they tell of."""

    def told():
        listed = workspaces.items(cluster, namespace, "events.v1.events.k8s.io")
        return {event["reason"] for event in listed if event["regarding"]["name"] == "v2"}

    until(lambda: set(reasons) <= told(), f"the events {reasons}")


@contextmanager
def users(cluster, url):
    """Users of OpenAI's client with retries, from entering to leaving; what came of it is in the dictionary then."""
    script = str(Path(e2e.openai_users.__file__))
    process = cluster.popen([sys.executable, script, f"{url}/v1", MODEL, str(USERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    found: dict[str, object] = {}
    try:
        process.stdout.readline()  # each has been answered
        yield found
    finally:
        process.stdin.close()
        found.update(json.loads(process.stdout.read()))
        process.wait(WAIT_SECONDS)


def check_deleted(cluster, namespace, answers, url, most_retries):
    """No request is lost when the old version is deleted, unless the Gateway fails some, which OpenAI's client then sends again.

    Returns when it was deleted.
    """
    with users(cluster, url) as found:
        before = time.time()
        cluster.kubectl("delete", "workspace", "v1", "-n", namespace, KUBECTL_TIMEOUT)
        workspaces.wait_gone(cluster, namespace, "deployment", "v1")
        answers.wait_all_from("v2")
        time.sleep(2.0)  # requests of all users
    lost = failed_since(answers, before)
    print(f"old version deleted: {[(round(entry['at'] - before, 2), entry['status']) for entry in lost]} failed; clients: {found}")
    assert found["errors"] == {}
    assert found["answered"] >= 2 * USERS
    assert found["retries"] <= most_retries
    assert len(lost) <= most_retries
    return before


def wait_step(cluster, namespace, number, expected):
    """Wait until the canary is in a step, with its share of the requests."""
    until(lambda: state(cluster, namespace).get("step") == number, f"step {number}")
    until(lambda: weights(cluster, namespace) == expected, "its share")
    print(f"step {number} with {expected} seen at {time.time() % 1000:.2f}")


def check_promoted(cluster, namespace, answers):
    """A good one gets all requests, step by step, although the controller is killed in each step."""
    for number, expected in enumerate(("v1=90,v2=10", "v1=50,v2=50", "v2=100"), 1):
        with killed_at_the_end(cluster):
            wait_step(cluster, namespace, number, expected)
        assert weights(cluster, namespace) == expected
    with ControllerProcess(cluster, inside=True):
        until(lambda: state(cluster, namespace).get("phase") == "Promoted", "the canary to be promoted")
        assert weights(cluster, namespace) == "v2=100"
        answers.wait_all_from("v2")
        check_events(cluster, namespace, "CanaryInProgress", "CanaryErrors", "CanaryPromoted")


def check_all(cluster, namespace, behind, most_retries=0, most_lost=0):
    with ControllerProcess(cluster, inside=True):
        workspaces.apply(cluster, namespace, version("v1", behind))
        workspaces.wait_ready(cluster, namespace, "v1", "GatewayReady")
        workspaces.wait_ready(cluster, namespace, "v1", "GroupReady")
        url = workspaces.get(cluster, namespace, "workspace", "v1")["status"]["gateway"]["group"]["url"]
    with Answers(cluster, url, FAST) as answers:
        with ControllerProcess(cluster, inside=True):
            answers.wait_all_from("v1")
            workspaces.apply(cluster, namespace, canary(behind, fail_every=FAIL_EVERY))
            check_stopped(cluster, namespace, answers)
        with ControllerProcess(cluster, inside=True):
            time.sleep(INTERVAL_SECONDS / 2)  # a new controller has no reason to try it again
            assert state(cluster, namespace)["phase"] == "Stopped"
            assert weights(cluster, namespace) == "v1=100"
            workspaces.apply(cluster, namespace, canary(behind))
            until(lambda: state(cluster, namespace).get("phase") == "Progressing", "another version to be tried")
        began = time.time()
        check_promoted(cluster, namespace, answers)
        with ControllerProcess(cluster, inside=True):
            deleted = check_deleted(cluster, namespace, answers, url, most_retries)
        lost = [{**entry, "at": round(entry["at"] % 1000, 2)} for entry in failed_since(answers, began) if entry["at"] < deleted]
        print(
            f"promoted after {time.time() - began:.1f} s with 3 controllers killed: {len(answers.since(began))} requests, {lost} failed"
        )
        assert len(lost) <= most_lost
        assert {entry["status"] for entry in lost} <= {HTTPStatus.SERVICE_UNAVAILABLE}
    cluster.kubectl("delete", "workspace", "v2", "-n", namespace, KUBECTL_TIMEOUT, "--wait=false")
    with ControllerProcess(cluster, inside=True):
        workspaces.wait_gone(cluster, namespace, "httproute", GROUP)


def test_a_canary_is_stopped_or_gets_all_requests(serving_cluster, namespace, behind):
    check_all(serving_cluster, namespace, behind)


@pytest.mark.optional_addons
def test_a_canary_behind_envoy_gateway(envoy_gateway_cluster):
    cluster = envoy_gateway_cluster
    with workspaces.programmed_gateway(cluster, "default", ENVOY_GATEWAY.name) as behind:
        check_all(cluster, "default", behind, MOST_RETRIES_BY_ENVOY_GATEWAY, MOST_LOST_BY_ENVOY_GATEWAY)
