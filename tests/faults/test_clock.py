"""Somebody sets the clock of the controller's node while Workspaces are made."""

from datetime import UTC, datetime, timedelta

import pytest

from e2e import workspaces
from e2e.waiting import until
from tests.faults import aftermath
from tests.faults.jumping_clock import AHEAD, BACK, JumpingController

COUNT = 10


def lease(cluster, namespace):
    (item,) = workspaces.items(cluster, namespace, "leases")
    return item["spec"]


def is_renewed(cluster, namespace, offset):
    """Whether the Lease was renewed by a clock that is off by about `offset`."""
    renewed = datetime.fromisoformat(lease(cluster, namespace)["renewTime"])
    return abs(renewed - datetime.now(UTC) - offset) < timedelta(minutes=30)


@pytest.mark.timeout(900)
def test_jumps_of_the_clock_stop_nothing_and_repeat_nothing(installed, plane_namespace, behind):
    election = ("--leader-elect", "--leader-election-namespace", plane_namespace)
    with JumpingController(installed, *election) as controller:
        names = aftermath.create(installed, plane_namespace, behind, COUNT)
        for direction, offset in ((AHEAD, timedelta(hours=1)), (BACK, timedelta(hours=-1))):
            controller.jump(direction)
            until(lambda offset=offset: is_renewed(installed, plane_namespace, offset), "a renewal by the new clock")
            workspaces.apply(installed, plane_namespace, workspaces.workspace(f"then-{direction.name.lower()}", gateway=behind))
            names.append(f"then-{direction.name.lower()}")
        aftermath.wait_all_ready(installed, plane_namespace, names)
        aftermath.assert_whole(installed, plane_namespace, names)
        aftermath.assert_quiet(installed, plane_namespace, controller)
        assert lease(installed, plane_namespace)["leaseTransitions"] == 0
    assert not [line for line in controller.log if "Traceback" in line]
