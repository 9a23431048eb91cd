"""`workspace-ctrl status` against a real cluster."""

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from click.testing import CliRunner

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import WAIT_SECONDS, until
from tests.faults import proxy as faults
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.cli import connection_options
from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.workspace_watch import WorkspaceDeletedError, WorkspaceWatch
from workspace_ctrl.kube import pager
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection


@pytest.fixture
def status(installed, plane_namespace):
    command = [
        sys.executable,
        "-m",
        "workspace_ctrl",
        "status",
        "--kubeconfig",
        str(installed.kubeconfig_for("user")),
        "-n",
        plane_namespace,
    ]
    return lambda *arguments: subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_it_follows_a_workspace_until_it_is_ready(installed, plane_namespace, gateway, status):
    assert "no Workspaces and InferenceSets in namespace" in status().stderr
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace)))
    unseen = status("phi")
    assert (unseen.returncode, "is the controller running?" in unseen.stdout) == (1, True)
    with ControllerProcess(installed):
        followed = status("phi", "--watch", "--timeout", str(WAIT_SECONDS))
    assert followed.returncode == 0
    assert "GatewayReady" in followed.stdout
    assert f"URL http://inference-gateway-istio.{plane_namespace}.svc.cluster.local/{plane_namespace}/phi" in followed.stdout
    assert status("phi").returncode == 0
    assert json.loads(status("phi", "-o", "json").stdout)["metadata"]["name"] == "phi"
    assert "phi" in status().stdout


def test_what_is_not_there_is_said(status, plane_namespace):
    result = status("nobody")
    assert (result.returncode, result.stderr.strip()) == (1, f"Error: there is no Workspace {plane_namespace}/nobody")


@pytest.fixture
def proxy(installed):
    """A proxy that can misbehave between the command and the API server."""
    with faults.in_thread(installed.kubeconfig_for("user")) as running:
        yield running


@pytest.fixture
def command(plane_namespace, proxy, installed, tmp_path):
    """Runs the command through the proxy, in a thread; the future's result is what came of it."""
    kubeconfig = faults.kubeconfig_through(proxy, installed.kubeconfig_for("user"), tmp_path)
    options = ("--kubeconfig", str(kubeconfig), "-n", plane_namespace)
    with ThreadPoolExecutor(1) as executor:
        yield lambda *arguments: executor.submit(CliRunner().invoke, main, ("status", *options, *arguments))


def set_ready(cluster, namespace, name, status):
    condition = {
        "type": "Ready",
        "status": status,
        "reason": "Because",
        "message": "so it is",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = json.dumps({"status": {"conditions": [condition]}})
    cluster.kubectl("patch", "workspace", name, "-n", namespace, "--subresource=status", "--type=merge", "--patch", patch)


def test_a_watch_that_falls_silent_goes_on(installed, plane_namespace, proxy, command, monkeypatch):
    monkeypatch.setattr(connection_options, "Client", partial(Client, silence_seconds=1))
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
    watched = command("phi", "--watch", "--timeout", str(WAIT_SECONDS))
    # There are more where the first one has been silent for too long already: the proxy hears only later that nobody reads it.
    until(lambda: proxy.mute_watches() >= 1, "the watch to be open")
    set_ready(installed, plane_namespace, "phi", "True")
    assert watched.result(WAIT_SECONDS).exit_code == 0
    assert sum(call.is_watch for call in proxy.calls) > 1


async def test_a_workspace_that_is_deleted_while_it_is_watched(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
    connection = open_connection(load_access(installed.kubeconfig_for("user"), None))
    shown = asyncio.Event()
    watch = WorkspaceWatch(Client(connection, "tester"), WORKSPACE, plane_namespace, "phi")

    async def show(_item):
        shown.set()

    watching = asyncio.create_task(watch.until(show))
    await asyncio.wait_for(shown.wait(), WAIT_SECONDS)
    installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace)
    with pytest.raises(WorkspaceDeletedError):
        await asyncio.wait_for(watching, WAIT_SECONDS)
    await connection.close()


def test_a_list_of_several_pages_is_complete(installed, plane_namespace, proxy, command, monkeypatch):
    monkeypatch.setattr(pager, "PAGE", 2)
    names = {f"phi-{number}" for number in range(5)}
    workspaces.apply(installed, plane_namespace, *map(workspaces.workspace, sorted(names)))
    result = command("-o", "json").result(WAIT_SECONDS)
    assert {item["metadata"]["name"] for item in json.loads(result.stdout)["items"]} == names
    assert [call.query.get("limit") for call in proxy.calls] == ["2"] * 4  # three pages of Workspaces, and one of InferenceSets
