"""The group of a Workspace that is planned without a cluster: all members are as if they were ready."""

import pytest

from tests.unit.factories import SETTINGS
from tests.unit.planning.traffic.groups import record
from workspace_ctrl.planning.traffic.preview_group import simulated_groups


@pytest.mark.parametrize(
    ("fields", "pool"),
    [
        pytest.param({}, "v1-inferencepool", id="that of the chart"),
        pytest.param({"pool": {"ref": {"name": "theirs"}}}, "theirs", id="the user's"),
        pytest.param({"match": {"path": 1}}, "v1-inferencepool", id="of a spec that is refused"),
    ],
)
def test_a_member_has_the_pool_to_which_its_requests_go(fields, pool):
    (group,) = simulated_groups(record("v1", **fields), (), SETTINGS)
    (member,) = group.members
    assert [each.meta.ref.name for each in member.pools] == [pool]
    assert [each.ready for each in member.pods] == [True]
