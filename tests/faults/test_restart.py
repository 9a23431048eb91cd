"""A restart on many ready Workspaces costs a watch per kind, and nothing else."""

import time
from collections import Counter

import pytest

from e2e.controller import ControllerProcess
from tests.faults import aftermath
from workspace_ctrl.cache.watches import WATCHED

COUNT = 50


@pytest.mark.timeout(900)
def test_a_restart_on_50_ready_workspaces_lists_each_kind_once_and_writes_nothing(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        names = aftermath.create(installed, plane_namespace, behind, COUNT)
        aftermath.wait_all_ready(installed, plane_namespace, names)
    with ControllerProcess(installed) as restarted:
        began = time.monotonic()
        # The markers show that the 50 were looked at before them, and are all that was written for.
        aftermath.assert_quiet(installed, plane_namespace, restarted)
        seconds = time.monotonic() - began
        calls = aftermath.calls(restarted, plane_namespace)
    assert calls["patch", "workspaces/status"] <= aftermath.status_writes(2, seconds)
    # Whether an earlier process has left routers of Gateways is asked for once; no deletion.
    assert {call: count for call, count in calls.items() if call[0] not in {"get", "patch"}} == {("list", "ocirepositories"): 1}
    told = {"workspaces/status", "events"}
    assert {call: count for call, count in calls.items() if call[0] == "patch" and call[1] not in told} == {
        ("patch", "deployments/dry-run"): 2,
        ("patch", "deployments"): 2,
        ("patch", "services"): 2,
    }
    assert restarted.streamed_lists(len(WATCHED)) == Counter(watched.resource.plural for watched in WATCHED)
