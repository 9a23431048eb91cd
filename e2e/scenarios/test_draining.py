"""Answers that are streamed while a model server is scaled down and rolled out come to their end."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import e2e.streams
from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until

CLIENTS = 10
WORDS = 40
FLAGS = "--inter-token-latency=250ms"
"""So an answer takes some 10 s."""
ROLLOUT_SECONDS = 240
MODEL = "qwen3-0.6b"


class Streams:
    """The answers so far."""

    def __init__(self):
        self.answers = []
        self._news = threading.Condition()

    def read(self, process):
        for line in process.stdout:
            with self._news:
                self.answers.append(json.loads(line))
                self._news.notify_all()

    def wait(self, count):
        """Wait until so many more answers have ended."""
        with self._news:
            wanted = len(self.answers) + count
            assert self._news.wait_for(lambda: len(self.answers) >= wanted, ROLLOUT_SECONDS), self.answers

    @property
    def broken(self):
        return [answer for answer in self.answers if not answer["whole"]]


@contextmanager
def streaming(cluster, url):
    """Answers are streamed to ten clients without a pause; leaving it waits for those that have begun."""
    command = [sys.executable, str(Path(e2e.streams.__file__)), url, MODEL, str(CLIENTS), str(WORDS)]
    process = cluster.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    found = Streams()
    reader = threading.Thread(target=found.read, args=(process,), daemon=True)
    reader.start()
    try:
        yield found
    finally:
        process.stdin.close()
        reader.join(ROLLOUT_SECONDS)
        process.wait(ROLLOUT_SECONDS)


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


@pytest.mark.timeout(900)
def test_no_stream_is_cut_while_the_model_server_is_scaled_down_and_rolled_out(serving_cluster, namespace, gateway):
    cluster = serving_cluster

    def rollout(*arguments):
        cluster.kubectl("rollout", *arguments, "-n", namespace)

    with ControllerProcess(cluster, "--probe", "models", inside=True):
        document = workspaces.workspace("drain", gateway=gateway, inference={"preset": {"name": MODEL}})
        workspaces.apply(cluster, namespace, document)
        cluster.kubectl("wait", "--for=create", "deployment/drain", "-n", namespace, "--timeout=60s")
        cluster.kubectl("set", "env", "deployment/drain", f"SIMULATOR_FLAGS={FLAGS}", "-n", namespace)
        cluster.kubectl("scale", "deployment/drain", "--replicas=2", "-n", namespace)
        rollout("status", "deployment/drain", f"--timeout={ROLLOUT_SECONDS}s")
        workspaces.wait_ready(cluster, namespace, "drain", "Ready", 120)
        url = workspaces.get(cluster, namespace, "workspace", "drain")["status"]["gateway"]["url"]
        with streaming(cluster, url) as found:
            found.wait(CLIENTS)
            rollout("restart", "deployment/drain")
            rollout("status", "deployment/drain", f"--timeout={ROLLOUT_SECONDS}s")
            found.wait(CLIENTS)
            cluster.kubectl("scale", "deployment/drain", "--replicas=1", "-n", namespace)
            until(
                lambda: len(workspaces.items(cluster, namespace, "pods", "kaito.sh/workspace=drain")) == 1,
                "one pod to be left",
                120,
            )
            found.wait(CLIENTS)
        assert found.broken == []
        assert len(found.answers) >= 4 * CLIENTS
