"""What is starting: neither ready nor failed, so that its events can only change the progress of a status."""

import pytest

from tests.unit.factories import condition, deployment, pod
from workspace_ctrl.records.pods import PodProblem


@pytest.mark.parametrize(
    ("workload", "starting"),
    [
        pytest.param(deployment(ready=0), True, id="no replica is ready"),
        pytest.param(deployment(ready=0, updated=0), True, id="none exists"),
        pytest.param(deployment(ready=1), False, id="ready"),
        pytest.param(deployment(ready=1, replicas=2, updated=2), False, id="one of two is ready"),
        pytest.param(deployment(ready=1, replicas=2, updated=1), True, id="one is ready, and the other not of the newest spec"),
        pytest.param(deployment(ready=1, generation=2, observed=1), True, id="ready, but for an older spec"),
        pytest.param(deployment(ready=0, replicas=0), False, id="scaled to 0"),
        pytest.param(deployment(ready=0, conditions=(condition("ReplicaFailure"),)), False, id="no pod may be created"),
        pytest.param(deployment(ready=0, conditions=(condition("Progressing"),)), True, id="progressing"),
        pytest.param(deployment(ready=0, conditions=(condition("Progressing", status="False"),)), False, id="not progressing"),
    ],
)
def test_a_workload(workload, starting):
    assert workload.is_starting is starting


@pytest.mark.parametrize(
    ("found", "starting"),
    [
        pytest.param(pod(ready=False), True, id="not ready"),
        pytest.param(pod(), False, id="ready"),
        pytest.param(pod(ready=False, problem=PodProblem("Unschedulable", "no nodes")), False, id="with a problem"),
    ],
)
def test_a_pod(found, starting):
    assert found.is_starting is starting
