"""What `kubectl describe workspace` tells of a Workspace's life."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until_equal


def events(cluster, namespace):
    """The events on Workspaces, by their reason."""
    listed = json.loads(cluster.kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json"))["items"]
    ours = [event for event in listed if event["regarding"]["kind"] == "Workspace"]
    found = {event["reason"]: event for event in ours}
    assert len(found) == len(ours), "repeats are a series, not new events"
    return found


def counts(cluster, namespace):
    return {reason: event.get("series", {}).get("count", 1) for reason, event in events(cluster, namespace).items()}


def wait_counts(cluster, namespace, expected):
    """Wait until the events on Workspaces happened so often; they are written after the status."""
    until_equal(lambda: counts(cluster, namespace), expected, "the events")


def suspend(cluster, namespace, *, suspended):
    """Suspend or resume the release, and wait until the Workspace's status tells it."""
    patch = json.dumps({"spec": {"suspend": suspended}})
    cluster.kubectl("patch", "helmrelease", "phi-inferencepool", "-n", namespace, "--type=merge", "-p", patch, actor="user")
    workspaces.wait_reason(cluster, namespace, "phi", "Ready", "Paused" if suspended else "Ready")


@pytest.fixture
def document(gateway, plane_namespace):
    return workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))


def test_a_flapping_workspace_has_one_event_for_each_reason(installed, plane_namespace, document):
    namespace = plane_namespace
    with ControllerProcess(installed):
        workspaces.apply(installed, namespace, document)
        workspaces.wait_ready(installed, namespace, "phi", "Ready")
        wait_counts(installed, namespace, {"Ready": 1})
        for _ in range(2):
            suspend(installed, namespace, suspended=True)
            suspend(installed, namespace, suspended=False)
        wait_counts(installed, namespace, {"Ready": 3, "Paused": 2})
    uid = workspaces.get(installed, namespace, "workspace", "phi")["metadata"]["uid"]
    found = events(installed, namespace)
    assert {reason: event["type"] for reason, event in found.items()} == {"Ready": "Normal", "Paused": "Warning"}
    for event in found.values():
        assert (event["reportingController"], event["regarding"]["uid"]) == ("workspace-ctrl", uid)
        assert event["series"]["lastObservedTime"] > event["eventTime"]
    described = installed.kubectl("describe", "workspace", "phi", "-n", namespace, actor="user")
    (line,) = [line for line in described.splitlines() if "Paused" in line and "(x2 over" in line]
    assert "Warning" in line
    assert "workspace-ctrl" in line
    assert "flux resume helmrelease phi-inferencepool" in line


def test_an_event_that_was_deleted_is_written_anew(installed, plane_namespace, document):
    namespace = plane_namespace
    with ControllerProcess(installed):
        workspaces.apply(installed, namespace, document)
        wait_counts(installed, namespace, {"Ready": 1})
        installed.kubectl("delete", "events.events.k8s.io", "--all", "-n", namespace)
        suspend(installed, namespace, suspended=True)
        suspend(installed, namespace, suspended=False)
        wait_counts(installed, namespace, {"Paused": 1, "Ready": 1})


def test_a_refused_workspace_has_a_warning(installed, plane_namespace):
    document = workspaces.workspace("phi", inference={"preset": {"name": "no-such-model"}})
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        ready = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "InvalidSpec")
        wait_counts(installed, plane_namespace, {"InvalidSpec": 1})
    event = events(installed, plane_namespace)["InvalidSpec"]
    assert (event["type"], event["note"]) == ("Warning", ready["message"])


def test_without_events_none_is_written(installed, plane_namespace, document):
    with ControllerProcess(installed, "--no-events") as controller:
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    assert controller.calls(plane_namespace)["patch", "events"] == 0
    assert events(installed, plane_namespace) == {}
