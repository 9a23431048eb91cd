"""Parts of a status that say something are written, and others are not."""

import pytest

from workspace_ctrl.api.status import ChartStatus, GatewayStatus, WorkloadStatus, WorkspaceStatus

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
