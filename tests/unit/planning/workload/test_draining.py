"""What ends the pod of a preset waits for the answers that it has begun."""

import pytest

from tests.unit.planning.preset.test_preset_workload import TWO_NODES, container, pod_spec, serve
from workspace_ctrl.planning.preset.preset_pods import drain_hook, grace_seconds


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("300s", 330), ("", 330), ("none", 330), ("10s", 330), ("10m", 630), ("1h30m", 3630), ("600s500ms", 630), ("0s", 3630)],
)
def test_the_grace_period_is_as_long_as_an_answer_may_take(timeout, seconds):
    assert grace_seconds(timeout) == seconds


def test_the_pod_of_one_node_is_drained_for_as_long_as_its_route_allows():
    assert container(serve())["lifecycle"] == drain_hook()
    assert pod_spec(serve())["terminationGracePeriodSeconds"] == 330
    assert pod_spec(serve(gateway={"timeout": "20m"}))["terminationGracePeriodSeconds"] == 1230


def test_the_pods_of_several_nodes_end_together():
    assert "lifecycle" not in container(serve(**TWO_NODES))
    assert "terminationGracePeriodSeconds" not in pod_spec(serve(**TWO_NODES))
