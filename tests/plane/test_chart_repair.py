"""What Flux has made is brought back when somebody deletes or edits it, and Flux's own work is not taken for somebody's."""

import json
import time

import pytest

from e2e import flux, workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS

PICKER = "phi-inferencepool-epp"
PARTS = {
    "inferencepool": "phi-inferencepool",
    "deployment": PICKER,
    "service": PICKER,
    "configmap": PICKER,
    "serviceaccount": PICKER,
    "role": f"{PICKER}-sa",
    "rolebinding": f"{PICKER}-sa",
    "destinationrule": PICKER,
}
ASK = ("patch", "helmreleases")
LOOKS, MOST_ASKED = 12, 8
"""Each pause is twice the one before, so more requests than that would take minutes."""


@pytest.fixture
def ready(installed, plane_namespace, gateway):
    with ControllerProcess(installed) as controller:
        workspaces.apply(
            installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        # After an installation Flux looks for drift: what is missing then it brings back unasked, or overlooks.
        settle(installed, plane_namespace)
        yield controller


def uid(cluster, namespace, kind):
    return workspaces.get(cluster, namespace, kind, PARTS[kind])["metadata"]["uid"]


def delete(cluster, namespace, *kinds):
    targets = [f"{kind}/{PARTS[kind]}" for kind in kinds]
    cluster.kubectl("delete", "--wait=false", "-n", namespace, *targets, actor="user")


def wait_back(cluster, namespace, kind, old):
    """Wait until there is another object than the one with the uid `old`; return after how many seconds it is."""
    started = time.monotonic()
    while True:
        # If Flux has missed a deletion, being at work, the next request comes later than the one before: half a minute and more.
        cluster.kubectl("wait", f"{kind}/{PARTS[kind]}", "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
        if uid(cluster, namespace, kind) != old:
            return time.monotonic() - started
        assert time.monotonic() - started < WAIT_SECONDS, f"{kind} was not deleted"


def settle(cluster, namespace):
    """Wait until Flux has nothing left to do, and all that it said was looked at."""
    flux.wait_done(cluster, namespace, "helmrelease", "phi-inferencepool")
    workspaces.wait_ready(cluster, namespace, "phi-inferencepool", "Ready", kind="helmrelease")
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def say_handled(cluster, namespace):
    """Say of a request, in Flux's place, that it is done with."""
    annotations = workspaces.get(cluster, namespace, "helmrelease", "phi-inferencepool")["metadata"].get("annotations", {})
    change = json.dumps({"status": {"lastHandledReconcileAt": annotations.get(flux.REQUESTED)}})
    target = ("helmrelease/phi-inferencepool", "-n", namespace, "--subresource=status")
    cluster.kubectl("patch", *target, "--type=merge", "-p", change)


@pytest.mark.parametrize("kind", PARTS)
def test_each_deleted_object_comes_back_for_one_request(installed, plane_namespace, ready, kind, capsys):
    old, before = uid(installed, plane_namespace, kind), ready.writes(plane_namespace)[ASK]
    delete(installed, plane_namespace, kind)
    seconds = wait_back(installed, plane_namespace, kind, old)
    with capsys.disabled():
        print(f"\n  {kind}: back after {seconds:.2f} s")
    settle(installed, plane_namespace)
    assert ready.writes(plane_namespace)[ASK] - before == 1


def test_all_at_once_come_back(installed, plane_namespace, ready, capsys):
    old = {kind: uid(installed, plane_namespace, kind) for kind in PARTS}
    before = ready.writes(plane_namespace)[ASK]
    delete(installed, plane_namespace, *PARTS)
    seconds = sum(wait_back(installed, plane_namespace, kind, old[kind]) for kind in PARTS)
    with capsys.disabled():
        print(f"\n  all: back after {seconds:.2f} s")
    settle(installed, plane_namespace)
    assert 1 <= ready.writes(plane_namespace)[ASK] - before <= 3


@pytest.mark.parametrize(
    ("target", "change", "field"),
    [
        pytest.param(
            f"service/{PICKER}",
            {"spec": {"selector": {"inferencepool": "nobody"}}},
            f".spec.selector.inferencepool={PICKER}",
            id="service",
        ),
        pytest.param(
            f"configmap/{PICKER}",
            {"metadata": {"labels": {"workspace-ctrl/workspace": None}}},
            ".metadata.labels.workspace-ctrl/workspace=phi",
            id="label",
        ),
        pytest.param(
            "inferencepool/phi-inferencepool",
            {"spec": {"selector": {"matchLabels": {"kaito.sh/workspace": "other"}}}},
            ".spec.selector.matchLabels.kaito\\.sh/workspace=phi",
            id="pool",
        ),
        pytest.param(
            f"deployment/{PICKER}",
            {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}},
            ".spec.template.spec.terminationGracePeriodSeconds=130",
            id="deployment",
        ),
    ],
)
def test_an_edited_object_is_brought_back(installed, plane_namespace, ready, target, change, field):
    flux.wait_edits_count(installed, plane_namespace, "phi-inferencepool")
    installed.kubectl("patch", target, "-n", plane_namespace, "--type=merge", "-p", json.dumps(change), actor="user")
    installed.kubectl("wait", target, "-n", plane_namespace, f"--for=jsonpath={{{field.replace('=', '}=', 1)}", KUBECTL_TIMEOUT)


def test_objects_that_were_deleted_while_the_controller_was_away_come_back(installed, plane_namespace, gateway):
    with ControllerProcess(installed):
        workspaces.apply(
            installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        settle(installed, plane_namespace)  # or Flux may bring them back unasked
    old = {kind: uid(installed, plane_namespace, kind) for kind in ("role", "configmap")}
    delete(installed, plane_namespace, *old)
    with ControllerProcess(installed) as controller:
        for kind, before in old.items():
            wait_back(installed, plane_namespace, kind, before)
        assert controller.writes(plane_namespace)[ASK] >= 1


def test_a_look_of_flux_is_no_news(installed, plane_namespace, ready):
    before, status = ready.writes(plane_namespace), workspaces.get(installed, plane_namespace, "workspace", "phi")["status"]
    annotate = ("annotate", "helmrelease/phi-inferencepool", "-n", plane_namespace, "--overwrite")
    for number in range(5):
        value = f"look-{number}"
        installed.kubectl(*annotate, f"reconcile.fluxcd.io/requestedAt={value}", actor="user")
        handled = f"--for=jsonpath={{.status.lastHandledReconcileAt}}={value}"
        installed.kubectl("wait", "helmrelease/phi-inferencepool", "-n", plane_namespace, handled, KUBECTL_TIMEOUT)
    # A change that needs a write shows that all events before it were looked at.
    installed.kubectl("delete", "service", "phi", "-n", plane_namespace, actor="user")
    installed.kubectl("wait", "service/phi", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
    assert workspaces.get(installed, plane_namespace, "workspace", "phi")["status"] == status
    made = ready.writes(plane_namespace) - before
    assert made == {("patch", "services"): 1}


def test_a_suspended_release_is_left_as_the_user_wants_it(installed, plane_namespace, ready):
    before = ready.writes(plane_namespace)[ASK]
    suspend = ("patch", "helmrelease/phi-inferencepool", "-n", plane_namespace, "--type=merge", "-p")
    installed.kubectl(*suspend, '{"spec":{"suspend":true}}', actor="user")
    workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "Paused")
    delete(installed, plane_namespace, "configmap", "inferencepool")
    workspaces.wait_reason(installed, plane_namespace, "phi", "RouteReady", "InferencePoolNotFound")
    assert ready.writes(plane_namespace)[ASK] == before
    installed.kubectl(*suspend, '{"spec":{"suspend":false}}', actor="user")
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    assert workspaces.items(installed, plane_namespace, "configmap", "workspace-ctrl/workspace=phi") != []


def test_a_request_that_brings_nothing_back_is_repeated_more_and_more_rarely(installed, plane_namespace, ready):
    before = ready.writes(plane_namespace)[ASK]
    installed.stop_program("helm-controller")
    try:
        delete(installed, plane_namespace, "configmap")
        for _ in range(LOOKS):
            say_handled(installed, plane_namespace)
            # It comes back by a look at the Workspace, which might have asked Flux again.
            installed.kubectl("delete", "service", "phi", "-n", plane_namespace, actor="user")
            installed.kubectl("wait", "service/phi", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        assert 2 <= ready.writes(plane_namespace)[ASK] - before <= MOST_ASKED
    finally:
        installed.start_program("helm-controller")
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
