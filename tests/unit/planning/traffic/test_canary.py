"""A canary's steps: when it goes on, when it stops, and that a restart changes nothing."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.model.canary import CanaryCount, CanaryPhase, CanaryPlan, CanaryState, Figures
from workspace_ctrl.planning.traffic.canary import Observed, advance

PLAN = CanaryPlan("r1", steps=(10, 25, 50, 100), interval=300.0, max_error_rate=0.01, max_latency_ratio=1.5)
STATE = CanaryState("r1")
PROGRESSING, PROMOTED, STOPPED = CanaryPhase.PROGRESSING, CanaryPhase.PROMOTED, CanaryPhase.STOPPED


def counted(requests, errors=0, latency=1.0, rejected=0):
    return Figures(requests, errors, rejected, requests, requests * latency)


GOOD = counted(1000)


def after(seconds=300.0, canary=GOOD, others=GOOD, state=STATE, plan=PLAN, *, is_ready=True, wish="", **count):
    found = CanaryCount(state.step_id, seconds, canary, others, **count)
    return advance(state, plan, Observed(found, is_ready, wish)).state


@pytest.mark.parametrize(
    ("seconds", "canary", "phase", "step", "reason"),
    [
        pytest.param(299.0, GOOD, PROGRESSING, 0, "CanaryInProgress", id="the interval is not over"),
        pytest.param(300.0, GOOD, PROGRESSING, 1, "CanaryInProgress", id="all is well"),
        pytest.param(900.0, counted(19), PROGRESSING, 0, "CanaryWaitsForRequests", id="too few requests"),
        pytest.param(900.0, counted(0), PROGRESSING, 0, "CanaryWaitsForRequests", id="no request at all"),
        pytest.param(300.0, counted(1000, 11), STOPPED, 0, "CanaryErrors", id="too many errors at the end"),
        pytest.param(10.0, counted(1000, 11), PROGRESSING, 0, "CanaryInProgress", id="as many before: may be chance"),
        pytest.param(10.0, counted(100, 5), STOPPED, 0, "CanaryErrors", id="no chance any more"),
        pytest.param(10.0, counted(3, 3), STOPPED, 0, "CanaryErrors", id="nothing but errors"),
        pytest.param(10.0, counted(1, 1), PROGRESSING, 0, "CanaryInProgress", id="one of one, which may be chance"),
        pytest.param(300.0, counted(1000, 10), PROGRESSING, 1, "CanaryInProgress", id="just as many as are allowed"),
        pytest.param(300.0, counted(1000, latency=1.6), STOPPED, 0, "CanaryLatency", id="too slow at the end"),
        pytest.param(10.0, counted(1000, latency=9.0), PROGRESSING, 0, "CanaryInProgress", id="slow before"),
        pytest.param(10.0, counted(100, rejected=30), STOPPED, 0, "CanaryRejects", id="rejects what others answer"),
    ],
)
def test_a_step(seconds, canary, phase, step, reason):
    found = after(seconds, canary)
    assert (found.phase, found.step, found.reason) == (phase, step, reason)


def test_requests_that_all_members_reject_are_the_fault_of_the_clients():
    assert after(canary=counted(100, rejected=30), others=counted(1000, rejected=300)).step == 1


def test_nobody_is_promoted_by_ignorance():
    found = advance(STATE, PLAN, Observed(CanaryCount(STATE.step_id, 900.0, GOOD, GOOD, unknown="Pod x does not answer")))
    assert (found.state.phase, found.state.step, found.state.reason) == (PROGRESSING, 0, "CanaryFiguresUnknown")
    assert found.remark == "Pod x does not answer"


@pytest.mark.parametrize("seconds", [1.0, 300.0])
@pytest.mark.parametrize(
    "missing",
    [{"unknown": "Pod v2-3 does not answer"}, {"unknown_others": "Pod v1-3 does not answer"}],
    ids=["of the canary", "of the others"],
)
@pytest.mark.parametrize(
    ("canary", "reason"), [(counted(1000, 1000), "CanaryErrors"), (counted(1000, rejected=900), "CanaryRejects")]
)
def test_ignorance_keeps_nobody_from_being_stopped_for_what_was_counted(seconds, missing, canary, reason):
    found = after(seconds, canary, **missing)
    assert (found.phase, found.reason) == (STOPPED, reason)


def test_what_may_be_chance_is_judged_when_all_figures_of_the_canary_are_known():
    errors = counted(1000, 11)
    assert after(canary=errors, unknown="Pod v2-3 does not answer").reason == "CanaryFiguresUnknown"
    assert after(canary=errors, unknown_others="Pod v1-3 does not answer").reason == "CanaryErrors"


def test_a_canary_that_is_not_ready_is_stopped_for_what_it_failed_before():
    assert after(1.0, counted(100, 90), is_ready=False).reason == "CanaryErrors"


def test_figures_of_the_others_are_needed_for_a_comparison_only():
    slow = counted(1000, latency=9.0)
    assert after(canary=slow, unknown_others="Pod x does not answer").reason == "CanaryFiguresUnknown"
    assert after(others=None, unknown_others="Pod x does not answer").reason == "CanaryFiguresUnknown"
    alone = replace(PLAN, max_latency_ratio=float("inf"))
    assert after(others=None, unknown_others="Pod x does not answer", plan=alone).step == 1


@pytest.mark.parametrize("missing", [{}, {"unknown_others": "Pod v1-1 does not answer"}], ids=["no requests", "not known"])
@pytest.mark.parametrize(
    ("seconds", "canary", "reason"),
    [
        pytest.param(300.0, counted(1000, rejected=1000), "CanaryRejects", id="all"),
        pytest.param(300.0, counted(1000, rejected=600), "CanaryRejects", id="more than half"),
        pytest.param(300.0, counted(1000, rejected=510), "CanaryInProgress", id="half, by chance"),
        pytest.param(10.0, counted(1000, rejected=1000), "CanaryInProgress", id="before the end"),
        pytest.param(300.0, counted(19, rejected=19), "CanaryWaitsForRequests", id="too few"),
    ],
)
def test_what_cannot_be_compared_must_not_reject_more_than_half(missing, seconds, canary, reason):
    alone = replace(PLAN, max_latency_ratio=float("inf"))
    assert after(seconds, canary, None, plan=alone, **missing).reason == reason


def test_figures_of_another_step_decide_nothing():
    old = CanaryCount("r1/0", 900.0, counted(100, 90), GOOD, crashed="Pod x restarted")
    assert advance(CanaryState("r1", step=1), PLAN, Observed(old)).state == CanaryState("r1", step=1)


@pytest.mark.parametrize("reason", ["CanaryWaitsForRequests", "CanaryFiguresUnknown"])
def test_without_figures_the_reason_stays_as_it_was(reason):
    """As after a restart of the controller: nothing new is known."""
    before = CanaryState("r1", step=1, reason=reason)
    assert advance(before, PLAN, Observed(None)).state == before


@pytest.mark.parametrize("reason", ["CanaryNotReady", "CanaryWithoutRequests"])
def test_a_reason_that_is_over_ends_without_figures(reason):
    assert advance(CanaryState("r1", step=1, reason=reason), PLAN, Observed(None)).state == CanaryState("r1", step=1)


def test_a_canary_that_is_not_ready_makes_no_progress():
    waiting = after(is_ready=False)
    assert (waiting.phase, waiting.step, waiting.reason) == (PROGRESSING, 0, "CanaryNotReady")
    assert advance(waiting, PLAN, Observed(None)).state == STATE


@pytest.mark.parametrize("before", [None, CanaryState("r0", PROMOTED), CanaryState("r1", reason="CanaryNotReady")])
def test_a_canary_begins_when_its_workloads_are_as_its_spec_wants_them(before):
    waiting = advance(before, PLAN, Observed(has_wanted_pods=False)).state
    assert waiting == CanaryState("r1", reason="CanaryNotReady")
    assert waiting.is_waiting
    assert advance(waiting, PLAN, Observed()).state == CanaryState("r1")


def test_one_that_has_begun_goes_on_while_its_workloads_are_scaled():
    assert advance(STATE, PLAN, Observed(has_wanted_pods=False)).state == STATE
    found = CanaryCount(STATE.step_id, 300.0, GOOD, GOOD)
    assert advance(STATE, PLAN, Observed(found, has_wanted_pods=False)).state.step == 1


def test_a_promotion_is_the_last_one_of_the_group_and_keeps_its_number():
    last = CanaryState("r1", step=3)
    found = CanaryCount(last.step_id, 300.0, GOOD, GOOD)
    promoted = advance(last, PLAN, Observed(found, promotions=4)).state
    assert promoted.promotion == 5
    assert advance(last, PLAN, Observed(wish="promote-r1", promotions=7)).state.promotion == 8
    assert advance(promoted, PLAN, Observed(found, wish="promote-r1", promotions=9)).state == promoted


def test_a_crash_ends_it():
    found = after(1.0, crashed="Pod v2-1 has restarted", is_ready=False)
    assert (found.phase, found.reason, found.message) == (STOPPED, "CanaryCrashed", "Pod v2-1 has restarted")


def test_the_last_step_promotes():
    found = after(state=CanaryState("r1", step=3))
    assert (found.phase, found.percent(PLAN)) == (PROMOTED, 100)


@pytest.mark.parametrize("phase", [PROMOTED, STOPPED])
def test_how_it_ended_stays_until_something_else_is_tried(phase):
    ended = CanaryState("r1", phase, step=2)
    assert after(canary=counted(1000, 900), state=ended) == ended
    assert advance(ended, replace(PLAN, revision="r2"), Observed()).state == CanaryState("r2")


@pytest.mark.parametrize("before", [*CanaryPhase])
@pytest.mark.parametrize(("wish", "phase"), [("promote-r1", PROMOTED), ("abort-r1", STOPPED)])
def test_the_author_decides_whatever_the_figures_say(before, wish, phase):
    found = after(1.0, counted(1000, 500), state=CanaryState("r1", before), wish=wish)
    assert found.phase is phase
    assert after(canary=counted(1000, 500), state=found, wish=wish) == found


@pytest.mark.parametrize("wish", ["promote-r0", "abort-r0", "promote", "abort", "stop-r1"])
def test_what_the_author_wanted_of_another_version_is_forgotten(wish):
    assert after(1.0, wish=wish) == STATE


def test_a_stopped_canary_gets_nothing():
    assert CanaryState("r1", STOPPED, step=2).percent(PLAN) == 0


@given(st.lists(st.tuples(st.floats(0, 900), st.integers(0, 500), st.floats(0, 1), st.floats(0.1, 5)), max_size=20))
def test_shares_only_rise_until_it_stops_and_a_restart_never_goes_on_by_itself(looks):
    state = None
    for seconds, requests, rate, latency in looks:
        before = state or STATE
        state = after(seconds, counted(requests, int(requests * rate), latency), state=before)
        assert advance(state, PLAN, Observed(None)).state.percent(PLAN) == state.percent(PLAN)
        assert after(0.0, Figures(), Figures(), state=state).percent(PLAN) == state.percent(PLAN)
        assert (
            state.percent(PLAN) in {0, before.percent(PLAN)} or state.step == before.step + 1 or state.phase is CanaryPhase.PROMOTED
        )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("rate", "is_stopped"), [(0.05, True), (0.001, False)])
def test_five_percent_errors_are_stopped_within_500_requests_and_one_in_a_thousand_is_not(seed, rate, is_stopped):
    chance = random.Random(seed)  # noqa: S311 - no secret
    failed = [chance.random() < rate for _ in range(500)]
    looks = (after(1.0, counted(number, sum(failed[:number]))) for number in range(1, 501))
    assert any(look.phase is STOPPED for look in looks) is is_stopped
