"""What Flux has made is deleted by hand, with real pods and requests: it comes back, and requests are answered again."""

import json
import subprocess
import time
from collections import Counter
from datetime import datetime
from http import HTTPStatus

import pytest

from e2e import outdated_status, workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

PICKER = "phi-inferencepool-epp"
PARTS = {
    "inferencepool": "phi-inferencepool",
    "deployment": PICKER,
    "service": PICKER,
    "role": f"{PICKER}-sa",
    "configmap": PICKER,
}
MODEL = "phi-4-mini-instruct"
_ASK = """
import json, sys, time, urllib.error, urllib.request
url, model = sys.argv[1:]
body = json.dumps({"model": model, "messages": [{"role": "user", "content": "there?"}]}).encode()
while True:
    started = time.time()
    try:
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        status = urllib.request.urlopen(request, timeout=60).status
    except urllib.error.HTTPError as error:
        status = error.status
    except OSError:
        status = 0
    print(json.dumps([started, status]), flush=True)
    time.sleep(0.05)
"""
ALL_AT_ONCE = {"op": "replace", "path": "/spec/strategy", "value": {"type": "Recreate"}}
"""Ends the endpoint picker before its successor is ready; else it would go on to serve, and be Ready, while that fails."""


@pytest.fixture
def served(serving_cluster, namespace):
    """The controller with a Workspace that answers, and its URL."""
    cluster = serving_cluster
    workspaces.apply(cluster, namespace, workspaces.gateway())
    cluster.kubectl("wait", "gateway/inference-gateway", "-n", namespace, "--for=condition=Programmed", KUBECTL_TIMEOUT)
    with ControllerProcess(cluster, "--gateway", f"{namespace}/inference-gateway") as controller:
        workspaces.apply(cluster, namespace, workspaces.workspace("phi"))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        yield controller, workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
    cluster.kubectl("delete", "gateway", "inference-gateway", "-n", namespace)


@pytest.fixture
def asking(serving_cluster, served):
    """A client that asks the model all the time; (time, HTTP status) of each answer."""
    _, url = served
    command = ["python3", "-c", _ASK, f"{url}/v1/chat/completions", MODEL]
    with serving_cluster.popen(command, stdout=subprocess.PIPE) as process:
        answered_after(process, 0)  # the proxy may still be getting its configuration
        yield process
        process.terminate()


def uids(cluster, namespace, kinds):
    """The uids of the objects of some kinds, as far as they are there."""
    targets = [f"{kind}/{PARTS[kind]}" for kind in kinds]
    template = r"go-template={{range .items}}{{.metadata.uid}} {{end}}{{if not .items}}{{.metadata.uid}}{{end}}"
    return set(cluster.kubectl("get", *targets, "-n", namespace, "--ignore-not-found", "-o", template, check=False).split())


def wait_back(cluster, namespace, kinds, old):
    """Wait until all kinds have objects again, and none of the `old` ones; return when that was first seen."""

    def are_back():
        found = uids(cluster, namespace, kinds)
        return len(found) == len(kinds) and not found & old

    until(are_back, f"{', '.join(kinds)} to be there again")
    return time.time()


def deletions(cluster, namespace, kinds):
    """When the user deleted the first and the last of the objects, by the audit log; seconds since 1970."""
    plurals = {f"{kind}s" for kind in kinds}
    moments = [
        datetime.fromisoformat(event["stageTimestamp"]).timestamp()
        for event in cluster.audit_events("user")
        if event["verb"] == "delete"
        and event["objectRef"].get("namespace") == namespace
        and event["objectRef"]["resource"] in plurals
    ]
    return min(moments), max(moments)


def answered_after(client, since):
    """Seconds from `since` to the first answer of a row of ten, and how often which HTTP status came before; 0 stands for no answer."""
    failed: Counter[int] = Counter()
    row: list[float] = []
    for line in client.stdout:
        asked, status = json.loads(line)
        if asked < since:
            continue
        if status == HTTPStatus.OK:
            row.append(asked)
        else:
            failed[status], row = failed[status] + 1, []
        if len(row) == 10:
            return row[0] - since, dict(failed)
    raise AssertionError("the client ended")


@pytest.mark.parametrize("kinds", [*((kind,) for kind in PARTS), tuple(PARTS)], ids="+".join)
def test_what_is_deleted_by_hand_comes_back_and_requests_are_answered(serving_cluster, namespace, served, asking, kinds, capsys):
    cluster = serving_cluster
    controller, _ = served
    old, before = uids(cluster, namespace, kinds), controller.writes(namespace)["patch", "helmreleases"]
    targets = [f"{kind}/{PARTS[kind]}" for kind in kinds]
    cluster.kubectl("delete", "--wait=false", "-n", namespace, *targets, actor="user")
    back = wait_back(cluster, namespace, kinds, old)
    begun, deleted = deletions(cluster, namespace, kinds)
    seconds, failed = answered_after(asking, begun)
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
    with capsys.disabled():
        print(f"\n  {'+'.join(kinds)}: back after {back - deleted:.2f} s, answered after {seconds:.2f} s (before: {failed})")
    answered_after(asking, time.time())
    # Each deletion asks Flux by itself where it has restored the object before by then.
    assert 1 <= controller.writes(namespace)["patch", "helmreleases"] - before <= len(kinds) + 2


def test_a_service_that_istio_has_looked_for_while_it_was_away_is_found_again(serving_cluster, namespace, served, asking):
    """Istio does not look again when the Service is back, but when the route changes."""
    cluster = serving_cluster
    controller, _ = served
    before = controller.writes(namespace)["patch", "httproutes"]
    with outdated_status.picker_away(cluster, namespace):
        workspaces.wait_reason(cluster, namespace, "phi", "RouteReady", "InferencePoolRefsUnresolved")
    outdated_status.wait_reason(cluster, namespace, "ResolvedRefs")
    outdated_status.suspend(cluster, namespace, suspended=False)
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
    answered_after(asking, time.time())
    assert controller.writes(namespace)["patch", "httproutes"] - before == 2


def test_an_endpoint_picker_that_no_node_can_take_says_so(serving_cluster, namespace, served):
    cluster = serving_cluster
    hungry = {"requests": {"cpu": "4k"}}
    patch = [ALL_AT_ONCE, {"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": hungry}]
    suspend = ("patch", "helmrelease/phi-inferencepool", "-n", namespace, "--type=merge", "-p")
    cluster.kubectl(*suspend, '{"spec":{"suspend":true}}', actor="user")
    cluster.kubectl("patch", f"deployment/{PICKER}", "-n", namespace, "--type=json", "-p", json.dumps(patch), actor="user")
    found = workspaces.wait_reason(cluster, namespace, "phi", "EndpointPickerReady", "Unschedulable")
    assert "Insufficient cpu" in found["message"]
    cluster.kubectl(*suspend, '{"spec":{"suspend":false}}', actor="user")
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def test_an_endpoint_picker_that_crashes_says_so(serving_cluster, namespace, served):
    cluster = serving_cluster
    patch = [ALL_AT_ONCE, {"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": ["--no-such-flag"]}]
    suspend = ("patch", "helmrelease/phi-inferencepool", "-n", namespace, "--type=merge", "-p")
    cluster.kubectl(*suspend, '{"spec":{"suspend":true}}', actor="user")
    cluster.kubectl("patch", f"deployment/{PICKER}", "-n", namespace, "--type=json", "-p", json.dumps(patch), actor="user")
    found = workspaces.wait_reason(cluster, namespace, "phi", "EndpointPickerReady", "ContainerCrashLoopBackOff")
    assert "container epp exited with code" in found["message"]
    cluster.kubectl(*suspend, '{"spec":{"suspend":false}}', actor="user")
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
