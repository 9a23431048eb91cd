"""The process around the controller ends in order, whenever it is told to; no API server is there."""

import asyncio
import logging
import signal
import socket

import pytest
from prometheus_client import CollectorRegistry

from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.process.kopf_process import KopfProcess
from workspace_ctrl.process.stop_signals import STOP_SIGNALS
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.metrics import Metrics

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nobody
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
clusters: [{name: nobody, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"""
NOTHING_HUNG = "Hung tasks stopping is skipped: no tasks given."


@pytest.fixture
def shell(tmp_path):
    """Returns a new shell; how the test's own process takes signals stays as it was."""
    kubeconfig = tmp_path / "kubeconfig.yaml"
    kubeconfig.write_text(KUBECONFIG)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield lambda port=0: KopfProcess(load_access(kubeconfig, None), Settings(), port, Metrics(CollectorRegistry()))
    for number, handler in handlers.items():
        signal.signal(number, handler)


async def stopped_after(turns, shell):
    """Serve, and stop it after so many turns of the event loop."""

    async def stop():
        for _ in range(turns):
            await asyncio.sleep(0)
        shell.stop(signal.SIGTERM)

    stopping = asyncio.create_task(stop())
    await shell.serve()
    await stopping


@pytest.mark.parametrize("turns", range(0, 60, 2))
def test_whenever_it_is_stopped_it_ends_at_once_and_leaves_nothing(shell, caplog, turns):
    caplog.set_level(logging.DEBUG)
    one = shell()

    asyncio.run(stopped_after(turns, one))

    assert not one.failed
    assert NOTHING_HUNG in caplog.messages  # kopf gives what hangs five seconds
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


def test_a_taken_port_ends_it_at_once_with_one_sentence(shell, caplog):
    caplog.set_level(logging.DEBUG)
    with socket.socket() as listening:
        listening.bind(("", 0))
        listening.listen()
        one = shell(listening.getsockname()[1])
        asyncio.run(one.serve())

    assert one.failed
    assert NOTHING_HUNG in caplog.messages
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info)
    assert "use another port" in record.getMessage()
    assert not record.exc_info


class Never(asyncio.Event):
    """An event that does not come."""

    def set(self):
        pass


def test_a_kopf_that_asks_nothing_is_stopped_as_well(shell, monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.process.kopf_process._QUESTION_SECONDS", 0.01)
    one = shell()
    monkeypatch.setattr(one._kopf_requests, "asked", Never())
    caplog.set_level(logging.INFO)
    asyncio.run(stopped_after(20, one))
    assert caplog.messages[-1] == "stopped"
