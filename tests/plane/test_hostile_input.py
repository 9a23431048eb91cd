"""Workspaces that were written to do harm end in a condition, and others go on."""

import json

import pytest

from e2e import workspaces
from e2e.cluster import ClusterError
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

MEGABYTE = 1_000_000


def container(**fields):
    return {"name": "server", "image": "example/server:1", **fields}


HOSTILE = {
    "large": {"containers": [container(args=["x" * 1000] * 1000)]},
    "many": {"containers": [container(env=[{"name": f"V{number}", "value": "x" * 20} for number in range(12_000)])]},
    "wide": {"containers": [container()], "volumes": [{"name": f"v-{number}", "emptyDir": {}} for number in range(3000)]},
    "letters": {"containers": [container(image="\u202e\u0000\ud83d\ude00".replace("\u0000", "")), container(name="é\n")]},
    "numbers": {"containers": [{"name": 1, "image": 2.5, "ports": [{"containerPort": "http"}]}]},
    "nulls": {"containers": [None, None], "volumes": None, "affinity": None},
    "nested": {"containers": [container()], "affinity": {"nodeAffinity": json.loads('{"a":' * 60 + "1" + "}" * 60)}},
    "long": {"containers": [container(name="n" * 10_000)], "serviceAccountName": "s" * 10_000},
}


def test_each_hostile_template_ends_in_a_condition_and_others_go_on(installed, plane_namespace):
    with ControllerProcess(installed, gate=False) as controller:
        stored = []
        for name, spec in HOSTILE.items():
            try:
                workspaces.apply_server_side(
                    installed, plane_namespace, workspaces.workspace(name, inference={"template": {"spec": spec}})
                )
            except ClusterError:
                continue  # refused by the API server: nothing for the controller
            stored.append(name)
        workspaces.apply(installed, plane_namespace, workspaces.workspace("good"))
        workspaces.wait_ready(installed, plane_namespace, "good", "Ready")
        for name in stored:
            observed = "--for=jsonpath={.status.observedGeneration}=1"
            installed.kubectl("wait", f"workspace/{name}", "-n", plane_namespace, observed, KUBECTL_TIMEOUT)
            found = workspaces.condition(installed, plane_namespace, name, "Ready")
            assert found["status"] in {"True", "False"}, name
            assert 0 < len(found["message"]) <= 4096, name
        assert {"large", "many", "numbers", "nulls"} <= set(stored)
        assert not any("Traceback" in line for line in controller.log)


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"resource": {"instanceType": "x" * 10_000, "labelSelector": {}}}, id="instance type"),
        pytest.param({"inference": {"preset": {"name": "x" * 10_000}}}, id="preset"),
        pytest.param({"inference": {"preset": {"name": "phi-4"}, "config": "x" * 10_000}}, id="config"),
        pytest.param({"gateway": {"parentRefs": [{"name": "x" * 10_000}]}}, id="gateway"),
    ],
)
def test_endless_names_are_refused_when_they_are_applied(installed, plane_namespace, field):
    with pytest.raises(ClusterError, match="Too long"):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("endless", **field))
