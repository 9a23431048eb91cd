"""From apply to ready to gone, counted through the API server's audit log."""

import json
import time
from collections import Counter
from itertools import pairwise

import pytest

from e2e import api_server, workspaces
from e2e.controller import PROGRESS_SECONDS, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.faults import aftermath
from workspace_ctrl.cache.watches import WATCHED

CALL_BUDGET = 9
"""Finalizer, dry-run, workload, Service, OCIRepository, HelmRelease, HTTPRoute and two status writes."""
COUNT = 5
VERSION = "{.status.observedGeneration} {.status.conditions[*].type} {.status.conditions[*].status}"
"""Generation and conditions of a status; kubectl ends a watch at the second object where a template has a range."""
EVERY_KIND = "deployment,service,ocirepository,helmrelease,httproute,inferencepool,configmap,serviceaccount,role,rolebinding"


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def create(cluster, namespace, behind, count=COUNT):
    names = [f"phi-{number}" for number in range(count)]
    workspaces.apply(cluster, namespace, *(workspaces.workspace(name, gateway=behind) for name in names))
    for name in names:
        workspaces.wait_ready(cluster, namespace, name, "Ready")
    return names


def test_ready_within_the_call_budget_and_a_restart_writes_nothing(installed, plane_namespace, behind, capsys):
    with ControllerProcess(installed) as controller:
        began = time.monotonic()
        create(installed, plane_namespace, behind)
        seconds = time.monotonic() - began
        writes = controller.writes(plane_namespace)
    assert COUNT <= controller.calls(plane_namespace)["patch", "events"] <= 2 * COUNT
    with capsys.disabled():
        print(f"\n  API calls of {COUNT} Workspaces from create to ready: {dict(writes)}")
    assert sum(count for call, count in writes.items() if call != ("patch", "workspaces/status")) == (CALL_BUDGET - 2) * COUNT
    assert writes["patch", "workspaces/status"] <= (3 + seconds / PROGRESS_SECONDS) * COUNT
    with ControllerProcess(installed) as restarted:
        # A Workspace made now shows that the old ones were looked at before it: keys are worked on in order.
        began = time.monotonic()
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
        seconds = time.monotonic() - began
        calls = aftermath.calls(restarted, plane_namespace)
        writes = restarted.writes(plane_namespace)
    one_workload = {("patch", "deployments/dry-run"): 1, ("patch", "deployments"): 1, ("patch", "services"): 1}
    assert writes.pop(("patch", "workspaces/status")) <= 3 + seconds / PROGRESS_SECONDS
    assert writes == one_workload
    # Whether routers of Gateways were left by an earlier process is asked for once.
    assert [(target, count) for (verb, target), count in calls.items() if verb == "list"] == [("ocirepositories", 1)]
    assert restarted.streamed_lists(len(WATCHED)) == Counter(watched.resource.plural for watched in WATCHED)


@pytest.mark.parametrize(
    ("change", "child"),
    [
        pytest.param({"gateway": {"match": {"path": "/elsewhere"}}}, "httproutes", id="the route's path"),
        pytest.param({"gateway": {"endpointPicker": {"replicas": 2}}}, "helmreleases", id="the endpoint picker's replicas"),
    ],
)
def test_a_change_that_affects_one_child_costs_at_most_three_calls(installed, plane_namespace, behind, change, child):
    with ControllerProcess(installed) as controller:
        create(installed, plane_namespace, behind, 1)
        with workspaces.followed(installed, plane_namespace, "workspaces", VERSION) as lines:
            versions = [read(next(lines))]
            before, began = controller.writes(plane_namespace), time.monotonic()
            installed.kubectl("patch", "workspace", "phi-0", "-n", plane_namespace, "--type=merge", "-p", json.dumps(change))
            generation = workspaces.get(installed, plane_namespace, "workspace", "phi-0")["metadata"]["generation"]
            observed = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
            installed.kubectl("wait", "workspace/phi-0", "-n", plane_namespace, observed, KUBECTL_TIMEOUT)
            workspaces.wait_ready(installed, plane_namespace, "phi-0", "Ready")
            while versions[-1][0] != generation or "Ready" not in versions[-1][1]:
                versions.append(read(next(lines)))
        made, seconds = controller.writes(plane_namespace) - before, time.monotonic() - began
    told = made.pop(("patch", "workspaces/status"))
    assert made.pop(("patch", child)) == 1
    # One that all is well again, and one for what fails: on a slow machine, that is one link after the other, and each is told at once.
    assert 1 <= told <= 1 + max(falls(versions), 1) + seconds / PROGRESS_SECONDS
    assert not made


def read(line):
    """The generation that a status is for, and the types of the conditions that are True."""
    generation, *words = line.split()
    types, statuses = words[: len(words) // 2], words[len(words) // 2 :]
    return int(generation), {type_ for type_, status in zip(types, statuses, strict=True) if status == "True"}


def falls(versions):
    """How often a status told that conditions were not True any more."""
    return sum(bool(before - after - {"Reconciling"}) for (_, before), (_, after) in pairwise(versions))


def test_deleting_the_workspace_removes_all_that_came_with_it(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, behind, 1)
        assert workspaces.items(installed, plane_namespace, "secret", "owner=helm,name=phi-0-inferencepool") != []
        installed.kubectl("delete", "workspace", "phi-0", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        for item in workspaces.items(installed, plane_namespace, EVERY_KIND, "workspace-ctrl/workspace=phi-0"):
            workspaces.wait_gone(installed, plane_namespace, item["kind"], item["metadata"]["name"])
        assert workspaces.items(installed, plane_namespace, EVERY_KIND, "workspace-ctrl/workspace=phi-0") == []
        assert workspaces.items(installed, plane_namespace, "secret", "owner=helm") == []


def test_a_suspended_release_leaves_nothing_behind_when_its_workspace_is_deleted(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, behind, 1)
        release = ("helmrelease", "phi-0-inferencepool", "-n", plane_namespace)
        installed.kubectl("patch", *release, "--type=merge", "-p", '{"spec":{"suspend":true}}', actor="user")
        found = workspaces.wait_reason(installed, plane_namespace, "phi-0", "GatewayReady", "Paused")
        assert "flux resume helmrelease phi-0-inferencepool" in found["message"]
        installed.kubectl("delete", "workspace", "phi-0", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        assert workspaces.items(installed, plane_namespace, "inferencepool") == []
        assert workspaces.items(installed, plane_namespace, "secret", "owner=helm") == []


def test_flux_objects_have_the_promised_names_and_owner(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, behind, 1)
    uid = workspaces.get(installed, plane_namespace, "workspace", "phi-0")["metadata"]["uid"]
    for kind in ("ocirepository", "helmrelease"):
        (owner,) = workspaces.get(installed, plane_namespace, kind, "phi-0-inferencepool")["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["kind"]) == (uid, True, "Workspace")
    assert "True" in installed.kubectl("get", "helmrelease", "phi-0-inferencepool", "-n", plane_namespace)


def test_objects_that_are_deleted_by_hand_come_back(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, behind, 1)
        for kind, name in (("service", "phi-0"), ("httproute", "phi-0"), ("helmrelease", "phi-0-inferencepool")):
            before = workspaces.get(installed, plane_namespace, kind, name)["metadata"]["uid"]
            installed.kubectl("delete", kind, name, "-n", plane_namespace, actor="user")
            installed.kubectl("wait", f"{kind}/{name}", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
            assert workspaces.get(installed, plane_namespace, kind, name)["metadata"]["uid"] != before
        workspaces.wait_ready(installed, plane_namespace, "phi-0", "Ready")


def test_without_the_gate_only_the_workload_is_made_and_turning_it_off_removes_the_rest(installed, plane_namespace, behind):
    with ControllerProcess(installed, gate=False):
        create(installed, plane_namespace, behind, 1)
        assert workspaces.items(installed, plane_namespace, "ocirepository,helmrelease,httproute") == []
        assert workspaces.condition(installed, plane_namespace, "phi-0", "GatewayReady") == {}
    with ControllerProcess(installed):
        workspaces.wait_ready(installed, plane_namespace, "phi-0")
    with ControllerProcess(installed, gate=False):
        for kind, name in (
            ("httproute", "phi-0"),
            ("helmrelease", "phi-0-inferencepool"),
            ("ocirepository", "phi-0-inferencepool"),
        ):
            workspaces.wait_gone(installed, plane_namespace, kind, name)
        until(
            lambda: "finalizers" not in workspaces.get(installed, plane_namespace, "workspace", "phi-0")["metadata"],
            "the finalizer to be removed",
        )
        assert workspaces.items(installed, plane_namespace, "deployment", "workspace-ctrl/workspace=phi-0") != []


@pytest.mark.parametrize("gate", [True, False])
def test_a_finalizer_that_another_manager_wrote_is_removed_with_the_workspace(installed, plane_namespace, gate):
    """As the restore of a backup writes it; other finalizers stay."""
    document = workspaces.workspace("restored")
    document["metadata"]["finalizers"] = ["workspace-ctrl/gateway", "example.com/mine"]
    with ControllerProcess(installed, gate=gate):
        installed.kubectl("create", "-n", plane_namespace, "-f", "-", input=json.dumps(document))
        installed.kubectl("delete", "workspace", "restored", "-n", plane_namespace, "--wait=false", actor="user")
        until(
            lambda: (
                workspaces.get(installed, plane_namespace, "workspace", "restored")["metadata"]["finalizers"]
                == ["example.com/mine"]
            ),
            "our finalizer to be removed",
        )
        patch = json.dumps({"metadata": {"finalizers": None}})
        installed.kubectl("patch", "workspace", "restored", "-n", plane_namespace, "--type=merge", f"--patch={patch}")
        workspaces.wait_gone(installed, plane_namespace, "workspace", "restored")


def test_an_api_server_that_goes_and_comes_back_is_survived(installed, plane_namespace, behind):
    with ControllerProcess(installed) as controller:
        create(installed, plane_namespace, behind, 1)
        api_server.restart(installed)
        workspaces.apply(installed, plane_namespace, workspaces.workspace("after", gateway=behind))
        workspaces.wait_ready(installed, plane_namespace, "after", "Ready")
        workspaces.wait_ready(installed, plane_namespace, "phi-0", "Ready")
        assert controller.is_running


def test_the_controller_stops_in_an_orderly_way(installed):
    controller = ControllerProcess(installed)
    controller.__enter__()
    assert controller.stop() == 0
    assert controller.log[-1].endswith(": stopped")
