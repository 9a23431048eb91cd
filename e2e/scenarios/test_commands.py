"""`chat`, `logs`, `events` and `explain` where pods run."""

import sys

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

NAME = "phi"


@pytest.fixture
def run(serving_cluster, namespace):
    """Run a command where Gateways can be reached."""
    kubeconfig = str(serving_cluster.inside_kubeconfig_for("admin"))
    program = [sys.executable, "-m", "workspace_ctrl"]
    return lambda *words: serving_cluster.run([*program, *words, "-n", namespace], env={"KUBECONFIG": kubeconfig})


def test_commands_of_a_workspace_that_is_served(serving_cluster, namespace, run):
    cluster = serving_cluster
    with workspaces.programmed_gateway(cluster, namespace) as behind:
        with ControllerProcess(cluster, "--probe", "models", inside=True):
            workspaces.apply(cluster, namespace, workspaces.workspace(NAME, gateway=behind))
            workspaces.wait_ready(cluster, namespace, NAME)
            workspaces.wait_ready(cluster, namespace, NAME, "Ready")
            answered = run("chat", NAME, "what is a gateway?")
            assert (answered.returncode, bool(answered.stdout.strip())) == (0, True), answered.stderr
            assert f"pod {NAME}-" in answered.stderr
            whole = run("explain", NAME)
            assert (whole.returncode, f"Workspace {namespace}/{NAME} is ready" in whole.stdout) == (0, True), whole.stdout
        logs = run("logs", NAME)
        assert (logs.returncode, bool(logs.stdout)) == (0, True), logs.stderr
        events = run("events", NAME)
        assert f"Pod/{NAME}-" in events.stdout
        cluster.kubectl("scale", f"deployment/{NAME}", "-n", namespace, "--replicas=0")
        cluster.kubectl("wait", "pod", "-l", f"kaito.sh/workspace={NAME}", "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)
        broken = run("explain", NAME)
        assert (broken.returncode, "> ✘ model server" in broken.stdout) == (1, True), broken.stdout
        assert "ScaledToZero" in broken.stdout
        cluster.kubectl("delete", "workspace", NAME, "-n", namespace, "--wait=false")
        cluster.kubectl("patch", "workspace", NAME, "-n", namespace, "--type=merge", '-p={"metadata":{"finalizers":null}}')
