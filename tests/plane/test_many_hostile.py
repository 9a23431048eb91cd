"""Many objects that a tenant makes to do harm: the controller stays small, leads on, and others are ready, also after a restart."""

import asyncio
from contextlib import contextmanager

import pytest

from e2e import workspaces
from e2e.bench import hostile_fleet
from e2e.bench.client import connect
from e2e.bench.hostile import good, send_all
from e2e.bench.usage import usage
from e2e.controller import ControllerProcess
from e2e.stalls import Stalls
from e2e.waiting import KUBECTL_TIMEOUT, until
from workspace_ctrl.cache.watches import WORKSPACE

HOSTILE, GOOD = 36, 3
MOST_MIB = 256
"""Memory of the pod."""
SPACE = hostile_fleet.NAMESPACE
_KINDS = "workspaces,pods,deployments,services,configmaps"


@contextmanager
def leading(cluster, namespace):
    """A controller that must not lose its lease, log an error, or grow beyond its memory."""
    election = ("--leader-elect", "--leader-election-namespace", namespace)
    with Stalls(cluster) as stalls, ControllerProcess(cluster, *election, gate=False, may_fork=False) as controller:
        yield controller
        assert usage(controller.pid).peak_mib < MOST_MIB
    words = ("Traceback", "ERROR", "CRITICAL", "unexpected")
    assert [line for line in controller.log if any(word in line for word in words)] == []
    lost = [line for line in controller.log if "was not renewed" in line or "lost" in line]
    assert stalls or not lost, lost


def make(cluster):
    """Create the hostile objects."""

    async def send():
        async with connect(cluster.kubeconfig_for("user").read_text()) as client:
            await send_all(client, hostile_fleet.requests(HOSTILE))

    asyncio.run(send())


def reasons(cluster):
    """Why each hostile Workspace is ready or not, by name, as far as that was said; the objects themselves are not read."""

    async def look():
        async with connect(cluster.kubeconfig_for("user").read_text()) as client:
            # In one request: between two, Workspaces come and go.
            return {name: word for name, word in await client.columns(WORKSPACE, SPACE, "Name", "Reason") if word}

    return asyncio.run(look())


@pytest.fixture
def hostile_namespace(installed):
    installed.kubectl("create", "namespace", SPACE)
    installed.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", SPACE, KUBECTL_TIMEOUT)
    yield
    with ControllerProcess(installed, gate=False):  # takes its finalizers away
        installed.kubectl("delete", _KINDS, "--all", "-n", SPACE, "--wait=false")
        until(lambda: not reasons(installed), "the hostile Workspaces to go")
    installed.kubectl("delete", "namespace", SPACE, KUBECTL_TIMEOUT)


def all_ready(cluster, namespace, prefix):
    names = [f"{prefix}-{number}" for number in range(GOOD)]
    workspaces.apply(cluster, namespace, *(good((namespace, name)) for name in names))
    for name in names:
        workspaces.wait_ready(cluster, namespace, name, "Ready")


@pytest.mark.timeout(900)
def test_many_hostile_objects_hurt_nobody_else_also_after_a_restart(installed, plane_namespace, hostile_namespace):
    names = hostile_fleet.names(HOSTILE)
    with leading(installed, plane_namespace):
        make(installed)
        all_ready(installed, plane_namespace, "beside")
        until(lambda: len(reasons(installed)) == HOSTILE, "each hostile Workspace to have a condition")
        told = reasons(installed)
        assert {name for name in names if told[name] == "InvalidSpec"} == {name for name in names if hostile_fleet.is_wrong(name)}
    with leading(installed, plane_namespace):
        all_ready(installed, plane_namespace, "after")
        assert len(reasons(installed)) == HOSTILE
