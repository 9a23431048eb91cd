"""Parts of a status that say something are written, and others are not; neither are those that the API server rejects."""

import pytest

from workspace_ctrl.api.status import (
    ChartStatus,
    GatewayStatus,
    PodsStatus,
    WorkloadStatus,
    WorkspaceStatus,
    parse_status,
    rejected_parts,
)

WORKLOAD = WorkloadStatus(kind="Deployment", name="phi", replicas=0)
GATEWAY = GatewayStatus(url="http://gateway/ns/phi")
CHART = ChartStatus(version="1.4.0")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param({"workload": WORKLOAD}, {"workload": WORKLOAD}, id="workload"),
        pytest.param({"workload": WorkloadStatus()}, {}, id="workload that says nothing"),
        pytest.param({"gateway": GATEWAY}, {"gateway": GATEWAY}, id="gateway"),
        pytest.param({"gateway": GatewayStatus()}, {}, id="gateway that says nothing"),
        pytest.param({"gateway": GatewayStatus(chart=CHART)}, {"gateway": GatewayStatus(chart=CHART)}, id="chart alone"),
        pytest.param({"gateway": GatewayStatus(chart=ChartStatus())}, {}, id="chart that says nothing"),
        pytest.param(
            {"workload": WORKLOAD, "gateway": GatewayStatus(url=GATEWAY.url, chart=ChartStatus())},
            {"workload": WORKLOAD, "gateway": GATEWAY},
            id="all but the chart",
        ),
    ],
)
def test_a_part_that_says_nothing_is_not_written(given, written):
    assert WorkspaceStatus(**given).without_empty_parts() == WorkspaceStatus(**written)


WHOLE = WorkspaceStatus(
    state="Ready",
    target_node_count=1,
    worker_nodes=("node-1",),
    workload=WORKLOAD,
    gateway=GATEWAY,
    pods=PodsStatus(version="0.2.0"),
)


@pytest.mark.parametrize("part", sorted(WHOLE.as_object()))
def test_a_rejected_part_is_left_out_and_no_other_one(part):
    (first, every) = rejected_parts(f"Workspace is invalid: status.{part}.x: Invalid value, status.conditions[0]: Required")
    assert first == {part}
    assert WHOLE.without(first, "").as_object() == {name: value for name, value in WHOLE.as_object().items() if name != part}
    assert WHOLE.without(every, "").as_object() == {}


def test_all_parts_are_left_out_where_none_is_named():
    assert rejected_parts("the object is too large") == (frozenset(WHOLE.as_object()),)


@pytest.mark.parametrize(
    ("members", "names"),
    [
        pytest.param([{"name": "v1"}, {"name": "v2"}], ["v1", "v2"], id="all"),
        pytest.param([{"name": "v1"}, "v2", None, []], ["v1"], id="what is no member is left out"),
        pytest.param("v1", [], id="no list"),
        pytest.param(None, [], id="nothing"),
    ],
)
def test_the_members_of_a_group_are_read_as_far_as_they_are_members(members, names):
    found = parse_status({"gateway": {"group": {"name": "chat", "members": members}}}).gateway.group
    assert [member.name for member in found.members] == names
