"""How far a canary is: its condition, its part of the status, from which the controller goes on, and the Events about it."""

from dataclasses import replace

import pytest

from tests.unit.factories import condition
from workspace_ctrl.api.status import GatewayStatus, WorkspaceStatus, parse_status
from workspace_ctrl.api.traffic.group_status import GroupStatus
from workspace_ctrl.model.canary import CanaryDecision, CanaryPhase, CanaryPlan, CanaryState
from workspace_ctrl.planning.traffic.canary_state import state_in
from workspace_ctrl.readiness.event_policy import canary_transition
from workspace_ctrl.readiness.status_urgency import WriteTiming, write_decision
from workspace_ctrl.readiness.traffic.canary import canary_link, canary_status

PLAN = CanaryPlan("r1", (10, 50), 300.0)
FIRST = CanaryState("r1")
SECOND = CanaryState("r1", step=1, message="40 requests, 0.0% failed")
STOPPED = replace(SECOND, phase=CanaryPhase.STOPPED, reason="CanaryErrors", message="3 of 30 requests failed")
PROMOTED = replace(SECOND, phase=CanaryPhase.PROMOTED, reason="CanaryPromoted")
AGAIN = replace(PROMOTED, promotion=3)
UNROUTED = replace(SECOND, reason="CanaryWithoutRequests")
BLIND = replace(SECOND, reason="CanaryFiguresUnknown")


@pytest.mark.parametrize(
    ("state", "remark", "status", "words"),
    [
        pytest.param(FIRST, "", "True", "step 1 of 2: 10 % of the requests, for 300 s at least", id="begun"),
        pytest.param(
            SECOND,
            "",
            "True",
            "step 2 of 2: 50 % of the requests, for 300 s at least; in the step before: 40 requests, 0.0% failed",
            id="on",
        ),
        pytest.param(
            BLIND,
            "Pod x does not answer",
            "Unknown",
            "step 2 of 2: 50 % of the requests, for 300 s at least; Pod x does not answer; in the step before: 40 requests, 0.0% failed",
            id="not judged",
        ),
        pytest.param(
            UNROUTED,
            "all go to v1",
            "Unknown",
            "step 2 of 2: 50 % of the requests, for 300 s at least; all go to v1; in the step before: 40 requests, 0.0% failed",
            id="not in the route",
        ),
        pytest.param(
            STOPPED, "", "False", "stopped in step 2 of 2, and gets no requests any more: 3 of 30 requests failed", id="stopped"
        ),
        pytest.param(PROMOTED, "", "True", "gets all requests of the group; 40 requests, 0.0% failed", id="promoted"),
    ],
)
def test_the_condition(state, remark, status, words):
    link = canary_link(CanaryDecision(PLAN, state, remark))
    assert (link.status, link.reason, link.message) == (status, state.reason, words)


@pytest.mark.parametrize("state", [FIRST, SECOND, STOPPED, PROMOTED, AGAIN, BLIND, UNROUTED], ids=lambda state: state.reason)
def test_the_controller_goes_on_from_the_status(state):
    written = GroupStatus("chat", canary=canary_status(CanaryDecision(PLAN, state)))
    read = parse_status(WorkspaceStatus(gateway=GatewayStatus(group=written)).as_object()).gateway.group
    assert read == written
    assert state_in(read, "chat") == state


def test_what_a_status_says_of_another_group_says_nothing_of_this_one():
    written = GroupStatus("staging", canary=canary_status(CanaryDecision(PLAN, PROMOTED)))
    assert (state_in(written, "chat"), state_in(written, "staging")) == (None, PROMOTED)


@pytest.mark.parametrize(
    ("state", "weights", "status", "words"),
    [
        pytest.param(
            STOPPED,
            {"v1": 100},
            "False",
            "stopped in step 2 of 2, and gets no requests any more: 3 of 30 requests failed",
            id="others get them",
        ),
        pytest.param(
            STOPPED,
            {"v2": 100},
            "False",
            "stopped in step 2 of 2, but keeps its requests, because no other member of the group has a weight; give one a weight, or "
            "change the model server of this one, or promote it: 3 of 30 requests failed",
            id="it is the last resort",
        ),
        pytest.param(PROMOTED, {"v2": 100}, "True", "gets all requests of the group; 40 requests, 0.0% failed", id="it gets all"),
        pytest.param(
            PROMOTED,
            {"v2": 90, "v3": 10},
            "True",
            "was promoted; requests of the group by weight: v2 90, v3 10; 40 requests, 0.0% failed",
            id="another one is tried",
        ),
        pytest.param(
            PROMOTED,
            {"v3": 100},
            "True",
            "was promoted; now all requests of the group go to v3; 40 requests, 0.0% failed",
            id="another one was promoted later",
        ),
    ],
)
def test_the_words_follow_the_weights(state, weights, status, words):
    link = canary_link(CanaryDecision(PLAN, state, name="v2", weights=weights))
    assert (link.status, link.reason, link.message) == (status, state.reason, words)


@pytest.mark.parametrize(
    "canary", [{}, {"phase": "Progressing"}, {"revision": "r", "phase": "Odd"}, {"revision": 7, "phase": "Promoted"}, "text"]
)
def test_a_status_that_says_nothing_is_none(canary):
    raw = {"gateway": {"group": {"name": "chat", "canary": canary}}}
    assert state_in(parse_status(raw).gateway.group, "chat") is None


def status_of(state):
    """A status of a Workspace that is ready, with a canary."""
    link = canary_link(CanaryDecision(PLAN, state))
    canary = canary_status(CanaryDecision(PLAN, state))
    conditions = (condition("Ready", "True", "Ready"), condition("CanaryProgressing", str(link.status), link.reason))
    return WorkspaceStatus(1, gateway=GatewayStatus(group=GroupStatus("chat", canary=canary)), conditions=conditions)


NOTHING = WorkspaceStatus(1, conditions=(condition("Ready", "True", "Ready"),))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param(NOTHING, NOTHING, None, id="no canary"),
        pytest.param(NOTHING, status_of(FIRST), ("CanaryInProgress", False), id="begun"),
        pytest.param(status_of(FIRST), status_of(FIRST), None, id="nothing new"),
        pytest.param(status_of(FIRST), status_of(SECOND), ("CanaryInProgress", False), id="next step"),
        pytest.param(status_of(SECOND), status_of(BLIND), ("CanaryFiguresUnknown", True), id="no figures"),
        pytest.param(status_of(BLIND), status_of(BLIND), None, id="still no figures"),
        pytest.param(status_of(SECOND), status_of(STOPPED), ("CanaryErrors", True), id="stopped"),
        pytest.param(status_of(SECOND), status_of(PROMOTED), ("CanaryPromoted", False), id="promoted"),
        pytest.param(status_of(PROMOTED), NOTHING, None, id="no canary any more"),
    ],
)
def test_events(old, new, told):
    found = canary_transition(old, new)
    assert (found and (found.reason, found.is_failure)) == told


@pytest.mark.parametrize(
    ("old", "new", "timing"),
    [
        pytest.param(status_of(FIRST), status_of(SECOND), WriteTiming.NOW, id="next step"),
        pytest.param(status_of(SECOND), status_of(STOPPED), WriteTiming.NOW, id="stopped"),
        pytest.param(status_of(replace(FIRST, reason="CanaryNotReady")), status_of(FIRST), WriteTiming.NOW, id="begun"),
        pytest.param(status_of(PROMOTED), status_of(AGAIN), WriteTiming.NOW, id="promoted once more"),
        pytest.param(status_of(FIRST), status_of(FIRST), WriteTiming.NEVER, id="nothing new"),
    ],
)
def test_a_step_is_written_at_once_because_requests_follow_it(old, new, timing):
    assert write_decision(old, new).urgency is timing
