"""`workspace-ctrl status` against a real cluster."""

import json
import subprocess
import sys

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess


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
    assert "no Workspaces in namespace" in status().stdout
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace)))
    unseen = status("phi")
    assert (unseen.returncode, "is the controller running?" in unseen.stdout) == (1, True)
    with ControllerProcess(installed):
        followed = status("phi", "--watch", "--timeout", "60")
    assert followed.returncode == 0
    assert "GatewayReady" in followed.stdout
    assert f"URL http://inference-gateway-istio.{plane_namespace}.svc.cluster.local/{plane_namespace}/phi" in followed.stdout
    assert status("phi").returncode == 0
    assert json.loads(status("phi", "-o", "json").stdout)["metadata"]["name"] == "phi"
    assert "phi" in status().stdout


def test_what_is_not_there_is_said(status, plane_namespace):
    result = status("nobody")
    assert (result.returncode, result.stderr.strip()) == (1, f"Error: there is no Workspace {plane_namespace}/nobody")
