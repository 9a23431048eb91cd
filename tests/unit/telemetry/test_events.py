"""The recorder without an API server: what it leaves out, and that it never holds up a pass."""

import asyncio
from typing import ClassVar

from tests.unit.factories import quickstart, workspace
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.kube.events import BURST
from workspace_ctrl.telemetry.events import EventRecorder
from workspace_ctrl.telemetry.observer_interface import Drop, StatusChange


def ready(state, reason):
    return WorkspaceStatus(observed_generation=1, conditions=(Condition("Ready", state, reason, "m", 1, "t"),))


def flap(uid="uid", api_version="kaito.sh/v1beta1"):
    """GatewayReady comes."""
    raw = quickstart(status=ready("False", "X").as_object(), apiVersion=api_version)
    raw["metadata"]["uid"] = uid
    return StatusChange(workspace(raw), ready("True", "Ready"), 1.0)


async def test_mere_progress_makes_no_event():
    drops: list[Drop] = []
    recorder = EventRecorder(None, drops.append, most_waiting=1)
    progress = StatusChange(workspace(), ready("False", "ModelServerStarting"), 1.0)
    for _ in range(BURST * 2):
        recorder.status_written(progress)
    assert drops == []


async def test_an_event_refers_to_the_object_in_the_version_in_which_it_was_read():
    class ApiServer:
        regarding: ClassVar = []

        async def apply(self, _resource, manifest, **_):
            self.regarding.append(manifest["regarding"]["apiVersion"])

    recorder = EventRecorder(ApiServer(), list.append)
    for version in ("kaito.sh/v1alpha1", "kaito.sh/v1beta1"):
        recorder.status_written(flap(version, api_version=version))
    running = asyncio.create_task(recorder.run())
    await recorder.flush()
    running.cancel()
    assert ApiServer.regarding == ["kaito.sh/v1alpha1", "kaito.sh/v1beta1"]


async def test_one_workspace_cannot_have_more_than_a_burst():
    drops: list[Drop] = []
    recorder = EventRecorder(None, drops.append)
    for _ in range(BURST + 3):
        recorder.status_written(flap())
    recorder.status_written(flap("another"))
    assert drops == [Drop.RATE_LIMITED] * 3


async def test_what_does_not_fit_is_dropped_and_counted():
    drops: list[Drop] = []
    recorder = EventRecorder(None, drops.append, most_waiting=2)
    for number in range(5):
        recorder.status_written(flap(f"uid-{number}"))
    assert drops == [Drop.QUEUE_FULL] * 3
