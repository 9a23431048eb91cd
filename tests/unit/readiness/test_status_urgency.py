"""How soon a changed status is written."""

import pytest

from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.readiness.status_urgency import WriteTiming, is_held_up, write_decision


def made(generation=1, **conditions):
    entries = [
        {"type": type_, "status": text.split()[0], "reason": text.split()[1], "message": "", "lastTransitionTime": "t"}
        for type_, text in {"Ready": "False X", **conditions}.items()
    ]
    return parse_status({"observedGeneration": generation, "conditions": entries})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(made(), made(), WriteTiming.NEVER, id="nothing new"),
        pytest.param(WorkspaceStatus(), made(), WriteTiming.FIRST, id="the first status"),
        pytest.param(
            parse_status({"observedGeneration": -1}), made(), WriteTiming.FIRST, id="the first after the default of the CRD"
        ),
        pytest.param(WorkspaceStatus(), made(Stalled="True X"), WriteTiming.NOW, id="the first status says that a person must act"),
        pytest.param(WorkspaceStatus(), made(Ready="True Ready"), WriteTiming.SETTLED, id="the first status is a good one"),
        pytest.param(made(), made(generation=2), WriteTiming.NOW, id="a new spec"),
        pytest.param(made(), made(Ready="True Ready"), WriteTiming.SETTLED, id="ready"),
        pytest.param(
            made(GatewayReady="True A", ChartReady="True A"),
            made(GatewayReady="True A", ChartReady="Unknown B"),
            WriteTiming.NOW,
            id="a link of a ready Workspace broke",
        ),
        pytest.param(made(ChartReady="True A"), made(ChartReady="Unknown B"), WriteTiming.LATER, id="one more link broke"),
        pytest.param(made(InferenceReady="True A"), made(InferenceReady="False B"), WriteTiming.NOW, id="the model server broke"),
        pytest.param(made(GatewayReady="True A"), made(GatewayReady="False B"), WriteTiming.NOW, id="not gateway-ready any more"),
        pytest.param(
            made(GatewayReady="False A"), made(GatewayReady="True B"), WriteTiming.SETTLED, id="gateway-ready, not all ready"
        ),
        pytest.param(made(ChartReady="Unknown A"), made(ChartReady="False B"), WriteTiming.SETTLED, id="a link that fails"),
        pytest.param(made(ChartReady="False A"), made(ChartReady="False B"), WriteTiming.SETTLED, id="fails otherwise"),
        pytest.param(made(), made(ChartReady="Unknown A"), WriteTiming.SETTLED, id="a new condition"),
        pytest.param(made(ChartReady="Unknown A"), made(ChartReady="True B"), WriteTiming.LATER, id="one more link holds"),
        pytest.param(made(InferenceReady="False A"), made(InferenceReady="False B"), WriteTiming.LATER, id="starting, otherwise"),
    ],
)
def test_news(old, new, expected):
    assert write_decision(old, new).urgency is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (made(Ready="True Ready", InferenceReady="True A", RouteReady="True B"), False),
        (
            made(
                InferenceReady="False ModelServerStarting",
                ChartReady="Unknown FetchingChart",
                ResourceReady="False WaitingForNodes",
            ),
            False,
        ),
        (made(InferenceReady="False DryRunPending"), False),
        (made(InferenceReady="False Unschedulable"), True),
        (made(InferenceReady="False CrashLoopBackOff", ChartReady="True A"), True),
        (made(WorkloadAccepted="False DryRunFailed"), True),
        (made(InferenceReady="True A", ChartReady="False InstallFailed"), True),
    ],
)
def test_what_has_failed_holds_a_workspace_up_and_what_is_only_slow_does_not(status, expected):
    assert is_held_up(status) is expected


def test_what_must_settle_is_named_so_that_another_change_starts_anew():
    first = write_decision(made(RouteReady="Unknown A"), made(RouteReady="False B"))
    second = write_decision(made(RouteReady="Unknown A", GatewayReady="False A"), made(RouteReady="True C", GatewayReady="True D"))
    assert first.settling == {("RouteReady", "False", "B")}
    assert second.settling == {("GatewayReady", "True", "D")}
