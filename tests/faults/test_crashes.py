"""Processes that are killed while Workspaces are made: the API server, and the controller itself, again and again."""

import json
import os
import random
import signal
import threading

import pytest

from e2e import api_server
from e2e.controller import ControllerProcess, command
from e2e.prepared import start
from e2e.waiting import WAIT_SECONDS, until
from tests.faults import aftermath
from tests.faults import proxy as faults

SEED = 20261121


def deleted_namespaces(cluster):
    """The namespaces that are being deleted."""
    namespaces = json.loads(cluster.kubectl("get", "namespaces", "--output=json"))["items"]
    return [namespace["metadata"]["name"] for namespace in namespaces if namespace["status"]["phase"] == "Terminating"]


@pytest.mark.timeout(900)
def test_the_api_server_crashes_in_the_middle_of_100_creations(installed, plane_namespace, behind, proxy, through_proxy):
    in_the_middle = threading.Event()

    def rule(call):
        if call.is_write and sum(earlier.is_write for earlier in proxy.calls) == 250:
            in_the_middle.set()

    with ControllerProcess(installed):
        # Namespaces that are deleted while an API server starts, which does not serve all kinds yet, leave objects without a namespace.
        until(lambda: not deleted_namespaces(installed), "the namespaces of earlier tests to go")
    proxy.rule = rule
    names = aftermath.create(installed, plane_namespace, behind, 100)
    with ControllerProcess(installed, kubeconfig=through_proxy) as controller:
        assert in_the_middle.wait(300)
        api_server.crash(installed)
        aftermath.wait_all_ready(installed, plane_namespace, names)
        aftermath.assert_whole(installed, plane_namespace, names)
        aftermath.assert_quiet(installed, plane_namespace, controller)
        assert controller.is_running
    assert not [line for line in controller.log if "Traceback" in line]


class Executioner:
    """A rule that kills the controller at a write of its life; the API server still carries out every second of those writes."""

    def __init__(self, seed):
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._pid = 0
        self._writes_left = 0
        self.writes = 0

    def choose(self, pid):
        """Let the process live for a few writes."""
        self._pid, self._writes_left = pid, self._random.randint(1, 4)

    def __call__(self, call):
        if not call.is_write or not self._pid:
            return None
        self.writes += 1
        self._writes_left -= 1
        if self._writes_left:
            return None
        os.kill(self._pid, signal.SIGKILL)
        self._pid = 0
        return faults.Reset(after=self._random.random() < 0.5)


@pytest.mark.timeout(900)
def test_the_controller_crashes_50_times_during_20_creations(installed, plane_namespace, behind, proxy, through_proxy, capsys):
    proxy.rule = executioner = Executioner(SEED)
    names = aftermath.create(installed, plane_namespace, behind, 20)
    environment = {**os.environ, "KUBECONFIG": str(through_proxy)}
    for _ in range(50):
        process = start(command(installed), environment)
        executioner.choose(process.pid)
        try:
            assert process.wait(WAIT_SECONDS) == -signal.SIGKILL, process.stderr.read()  # a life's log is less than a pipe takes
        finally:
            process.send_signal(signal.SIGKILL)
            process.stderr.close()
    with capsys.disabled():
        print(f"\n  seed {SEED}: killed 50 times, at {executioner.writes} writes in all")
    with ControllerProcess(installed, kubeconfig=through_proxy) as controller:
        aftermath.wait_all_ready(installed, plane_namespace, names)
        aftermath.assert_whole(installed, plane_namespace, names)
        aftermath.assert_quiet(installed, plane_namespace, controller)
