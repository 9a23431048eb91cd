"""What is said of a canary that is aborted."""

import pytest

from workspace_ctrl.api.traffic.group_status import GroupMemberStatus, GroupStatus
from workspace_ctrl.cli.change.canary import has_other_weight

MINE = GroupMemberStatus("Workspace", "v2", current=100)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param((), False, id="alone"),
        pytest.param((GroupMemberStatus("Workspace", "v1", weight=0, current=0),), False, id="weight 0"),
        pytest.param((GroupMemberStatus("Workspace", "v1", weight=100, current=0, ready=False),), True, id="a weight"),
        pytest.param((GroupMemberStatus("Workspace", "v1", fallback=True, current=0),), True, id="a fallback"),
        pytest.param((GroupMemberStatus("Workspace", "v1", current=10),), True, id="another canary"),
    ],
)
def test_whether_others_take_the_requests(others, expected):
    assert has_other_weight(GroupStatus("chat", members=(*others, MINE)), "v2") is expected
