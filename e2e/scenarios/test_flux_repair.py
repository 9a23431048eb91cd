"""What Flux has made is deleted by hand, with real pods and requests: it comes back, and requests are answered again."""

import json
import subprocess
import time
from datetime import datetime
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.chat import chats
from e2e.cluster.images import VLLM_IMAGE
from e2e.controller import ControllerProcess

PICKER = "phi-inferencepool-epp"
PARTS = {
    "inferencepool": "phi-inferencepool",
    "deployment": PICKER,
    "service": PICKER,
    "role": f"{PICKER}-sa",
    "configmap": PICKER,
}
PLURALS = {kind: f"{kind}s" for kind in PARTS}
MODEL = "phi-4-mini-instruct"
_ASK = """
import json, sys, time, urllib.error, urllib.request
url, model = sys.argv[1:]
body = json.dumps({"model": model, "messages": [{"role": "user", "content": "there?"}]}).encode()
while True:
    started = time.time()
    try:
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        status = urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        status = error.status
    except OSError:
        status = 0
    print(json.dumps([started, status]), flush=True)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def namespace_of_module(serving_cluster):
    serving_cluster.kubectl("create", "namespace", "flux-repair")
    yield "flux-repair"
    serving_cluster.kubectl("delete", "namespace", "flux-repair", "--wait=false")


@pytest.fixture(scope="module")
def served(serving_cluster, namespace_of_module):
    """The controller with a Workspace that answers, and its URL."""
    cluster, namespace = serving_cluster, namespace_of_module
    workspaces.apply(cluster, namespace, workspaces.gateway())
    cluster.kubectl("wait", "gateway/inference-gateway", "-n", namespace, "--for=condition=Programmed", "--timeout=60s")
    with ControllerProcess(cluster, "--gateway", f"{namespace}/inference-gateway") as controller:
        workspaces.apply(cluster, namespace, workspaces.workspace("phi"))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        yield controller, workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]
        cluster.kubectl("delete", "workspace", "phi", "-n", namespace, "--timeout=60s", actor="user")


@pytest.fixture
def asking(serving_cluster, served):
    """A client that asks the model all the time; (time, HTTP status) of each answer."""
    _, url = served
    command = ["python3", "-c", _ASK, f"{url}/v1/chat/completions", MODEL]
    with serving_cluster.popen(command, stdout=subprocess.PIPE) as process:
        yield process
        process.terminate()


def uids(cluster, namespace, kinds):
    return {kind: workspaces.get(cluster, namespace, kind, PARTS[kind])["metadata"]["uid"] for kind in kinds}


def wait_back(cluster, namespace, old):
    """Wait until each of the kinds in `old` has an object with another uid."""
    deadline = time.monotonic() + workspaces.WAIT_SECONDS
    for kind, before in old.items():
        cluster.kubectl("wait", f"{kind}/{PARTS[kind]}", "-n", namespace, "--for=create", "--timeout=30s")
        while uids(cluster, namespace, [kind])[kind] == before:
            assert time.monotonic() < deadline, f"{kind} did not come back"


def moment(cluster, actor, verbs, kind, namespace):
    """When an actor last did something to an object, by the audit log; seconds since 1970."""
    events = [
        event
        for event in cluster.audit_events(actor)
        if event["verb"] in verbs
        and event.get("objectRef", {}).get("resource") == PLURALS[kind]
        and event["objectRef"].get("namespace") == namespace
        and event["objectRef"].get("name", PARTS[kind]) == PARTS[kind]
        and event["responseStatus"]["code"] < HTTPStatus.BAD_REQUEST
        and "dryRun" not in event["requestURI"]
    ]
    return datetime.fromisoformat(events[-1]["stageTimestamp"]).timestamp()


def answered_after(client, since):
    """Seconds from `since` to the first answer of a row of ten, and how many requests failed on the way."""
    failed, first, row = 0, None, 0
    for line in client.stdout:
        asked, status = json.loads(line)
        if asked < since:
            continue
        if status == HTTPStatus.OK:
            first = first if row else asked
            row += 1
        else:
            failed, row = failed + 1, 0
        if row == 10:
            return first - since, failed
    raise AssertionError("the client ended")


@pytest.mark.parametrize("kinds", [*((kind,) for kind in PARTS), tuple(PARTS)], ids="+".join)
def test_what_is_deleted_by_hand_comes_back_and_requests_are_answered(
    serving_cluster, namespace_of_module, served, asking, kinds, capsys
):
    cluster, namespace = serving_cluster, namespace_of_module
    controller, url = served
    old, before = uids(cluster, namespace, kinds), controller.writes(namespace)["patch", "helmreleases"]
    targets = [f"{kind}/{PARTS[kind]}" for kind in kinds]
    cluster.kubectl("delete", "--wait=false", "-n", namespace, *targets, actor="user")
    wait_back(cluster, namespace, old)
    deleted = max(moment(cluster, "user", {"delete"}, kind, namespace) for kind in kinds)
    back = max(moment(cluster, "helm-controller", {"create", "patch"}, kind, namespace) for kind in kinds)
    seconds, failed = answered_after(asking, deleted)
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
    with capsys.disabled():
        print(
            f"\n  {'+'.join(kinds)}: back after {back - deleted:.2f} s, answered after {seconds:.2f} s ({failed} requests failed)"
        )
    assert {answer.status for answer in chats(cluster, url, MODEL, "again?", 10)} == {200}
    assert 1 <= controller.writes(namespace)["patch", "helmreleases"] - before <= 3


def test_an_endpoint_picker_that_no_node_can_take_says_so(serving_cluster, namespace_of_module, served):
    cluster, namespace = serving_cluster, namespace_of_module
    hungry = {"requests": {"cpu": "4k"}}
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": hungry}]
    suspend = ("patch", "helmrelease/phi-inferencepool", "-n", namespace, "--type=merge", "-p")
    cluster.kubectl(*suspend, '{"spec":{"suspend":true}}', actor="user")
    cluster.kubectl("patch", f"deployment/{PICKER}", "-n", namespace, "--type=json", "-p", json.dumps(patch), actor="user")
    found = workspaces.wait_reason(cluster, namespace, "phi", "EndpointPickerReady", "Unschedulable")
    assert "Insufficient cpu" in found["message"]
    cluster.kubectl(*suspend, '{"spec":{"suspend":false}}', actor="user")
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def test_an_endpoint_picker_that_crashes_says_so(serving_cluster, namespace_of_module, served):
    cluster, namespace = serving_cluster, namespace_of_module
    crash = {"image": VLLM_IMAGE, "command": ["sh", "-c", "echo no such pool; exit 4"], "args": []}
    patch = [{"op": "add", "path": f"/spec/template/spec/containers/0/{key}", "value": value} for key, value in crash.items()]
    suspend = ("patch", "helmrelease/phi-inferencepool", "-n", namespace, "--type=merge", "-p")
    cluster.kubectl(*suspend, '{"spec":{"suspend":true}}', actor="user")
    cluster.kubectl("patch", f"deployment/{PICKER}", "-n", namespace, "--type=json", "-p", json.dumps(patch), actor="user")
    found = workspaces.wait_reason(cluster, namespace, "phi", "EndpointPickerReady", "ContainerCrashLoopBackOff")
    assert "exit code 4" in found["message"]
    cluster.kubectl(*suspend, '{"spec":{"suspend":false}}', actor="user")
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
