"""The controller against a real control plane with real Flux; pods are played."""

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.controller import ACTOR
from e2e.waiting import WAIT_SECONDS
from tests.plane.accounts import ACCOUNT
from workspace_ctrl.cli.main import main


@pytest.fixture
def gateway(installed: Cluster, plane_namespace: str) -> Iterator[str]:
    """A Gateway in the test's namespace, by name; gone afterwards, so that no other test finds it."""
    workspaces.apply(installed, plane_namespace, *workspaces.played_gateway())
    yield "inference-gateway"
    installed.kubectl("delete", "gateway", "inference-gateway", "-n", plane_namespace, "--ignore-not-found")


@pytest.fixture
def account(installed: Cluster, plane_namespace: str, tmp_path: Path) -> Path:
    """The kubeconfig of a ServiceAccount that has no rights yet."""
    document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    workspaces.apply(installed, plane_namespace, document)
    token = installed.kubectl("create", "token", ACCOUNT, "-n", plane_namespace).strip()
    config = yaml.safe_load(installed.kubeconfig_for(ACTOR).read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def run(installed: Cluster, plane_namespace: str) -> Iterator[Callable[..., Result]]:
    """Run a command as the user, in the test's namespace, in a thread: the test has an event loop."""
    options = ("--kubeconfig", str(installed.kubeconfig_for("user")), "-n", plane_namespace)
    with ThreadPoolExecutor(1) as executor:
        yield lambda command, *arguments, **more: executor.submit(
            CliRunner().invoke, main, (command, *options, *arguments), **more
        ).result(WAIT_SECONDS)
