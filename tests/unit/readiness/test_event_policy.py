"""Which changes of Ready are told by an event."""

import pytest

from tests.unit.factories import condition
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.readiness.event_policy import transition

READY = {"Ready": ("True", "Ready"), "WorkloadAccepted": ("True", "Accepted"), "InferenceReady": ("True", "R")}


def made(conditions, generation=1):
    entries = tuple(condition(type_, status, reason) for type_, (status, reason) in conditions.items())
    return WorkspaceStatus(observed_generation=generation, conditions=entries)


def broken(type_, reason, status="False"):
    """A Workspace that is not ready because of one link."""
    return made({**READY, "Ready": ("False", reason), type_: (status, reason)})


NOTHING = WorkspaceStatus()
STARTING = broken("InferenceReady", "ModelServerStarting")
CRASHING = broken("InferenceReady", "ContainerCrashLoopBackOff")
REFUSED = broken("WorkloadAccepted", "InvalidSpec")
DELETING = made({"Ready": ("False", "Deleting")})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param(NOTHING, STARTING, None, id="on its way"),
        pytest.param(NOTHING, broken("WorkloadAccepted", "DryRunPending", "Unknown"), None, id="just created"),
        pytest.param(STARTING, broken("ChartReady", "ChartInstalling", "Unknown"), None, id="further on its way"),
        pytest.param(STARTING, broken("EndpointsReady", "NoReadyEndpoints"), None, id="pods not ready yet"),
        pytest.param(broken("InferenceReady", "ScaledToZero"), STARTING, None, id="scaled up"),
        pytest.param(STARTING, made(READY), ("Ready", False), id="ready"),
        pytest.param(NOTHING, made(READY), ("Ready", False), id="ready at once"),
        pytest.param(made(READY), made(READY), None, id="still ready"),
        pytest.param(made(READY), STARTING, ("ModelServerStarting", True), id="not ready any more"),
        pytest.param(made(READY), made({"Ready": ("False", "X")}, 2), ("X", False), id="because its user wants something else"),
        pytest.param(STARTING, CRASHING, ("ContainerCrashLoopBackOff", True), id="pods crash"),
        pytest.param(CRASHING, CRASHING, None, id="still crash"),
        pytest.param(CRASHING, STARTING, None, id="try again"),
        pytest.param(NOTHING, REFUSED, ("InvalidSpec", True), id="refused"),
        pytest.param(STARTING, broken("RouteReady", "HTTPRouteNotAccepted"), ("HTTPRouteNotAccepted", True), id="route"),
        pytest.param(STARTING, broken("ChartReady", "InstallFailed"), ("InstallFailed", True), id="chart"),
        pytest.param(STARTING, made({"Ready": ("False", "Y"), "Stalled": ("True", "Y")}), ("Y", True), id="waiting does not help"),
        pytest.param(STARTING, broken("GatewayReady", "ProbeFailed"), ("ProbeFailed", True), id="requests fail"),
        pytest.param(STARTING, broken("GatewayReady", "ProbePending"), None, id="a request is being tried"),
        pytest.param(made(READY), DELETING, None, id="being deleted"),
    ],
)
def test_transition(old, new, told):
    found = transition(old, new)
    assert (found and (found.reason, found.is_failure)) == told
