"""KAITO's examples on a real API server: each is stored, and one controller says of each what is expected."""

import json
import re

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from tests.kaito import EXPECTED, documents, workspace_of

LABEL = "tests=kaito-examples"


@pytest.fixture
def namespaces(installed):
    """A namespace for each file, as several of them share names."""
    names = {name: "kaito-" + re.sub(r"[^a-z0-9]+", "-", name) for name in EXPECTED}
    key, value = LABEL.split("=")
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {key: value}}} for name in names.values()
    ]
    workspaces.apply(installed, "default", *objects)
    yield names
    installed.kubectl("delete", "namespace", "-l", LABEL, "--wait=false")


def test_each_is_classified_or_refused_as_expected(installed, namespaces):
    with ControllerProcess(installed, gate=False):
        for name, namespace in namespaces.items():
            workspaces.apply(installed, namespace, *documents(name))
        for name, namespace in namespaces.items():
            _wait(installed, namespace, name)
        stored = {item["metadata"]["namespace"]: item for item in _all(installed, "workspaces")}
        made = {item["metadata"]["namespace"]: item["kind"] for item in _all(installed, "deployments,statefulsets")}
    for name, expected in EXPECTED.items():
        status = stored[namespaces[name]]["status"]
        _check_warnings(name, status)
        if "kind" in expected:
            assert (status["workload"]["kind"], status["targetNodeCount"]) == (expected["kind"], expected["nodes"]), name
            assert made[namespaces[name]] == expected["kind"], name
        else:
            (said,) = [entry for entry in status["conditions"] if entry["type"] == "WorkspaceSucceeded"]
            assert said["reason"] == expected.get("reason", "InvalidSpec"), name
            assert said["message"].startswith(expected["path"] + " "), name
            assert expected["words"] in said["message"], name
            assert namespaces[name] not in made


def _check_warnings(name, status):
    if "kind" in EXPECTED[name]:
        said = [entry["message"] for entry in status["conditions"] if entry["type"] == "Warning"]
        expected = EXPECTED[name].get("warnings", ())
        assert len(said) == bool(expected), (name, said)
        assert all(text in said[0] for text in expected), (name, said)


def _wait(cluster, namespace, name):
    workspace = workspace_of(name)["metadata"]["name"]
    if "kind" in EXPECTED[name]:
        workspaces.wait_ready(cluster, namespace, workspace, "WorkloadAccepted")
    else:
        workspaces.wait_reason(cluster, namespace, workspace, "WorkspaceSucceeded", EXPECTED[name].get("reason", "InvalidSpec"))


def _all(cluster, kinds):
    found = json.loads(cluster.kubectl("get", kinds, "-A", "-o", "json"))["items"]
    return [item for item in found if item["metadata"]["namespace"].startswith("kaito-")]
