"""When a probe's result counts, when it is in doubt, and when the next probe is due."""

import pytest

from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.probe.result_threshold import Pace, Threshold

ANSWERED = ProbeResult(ProbeOutcome.ANSWERED, code=200)
SLOW = ProbeResult(ProbeOutcome.ANSWERED, code=200, is_slow=True)
UNAVAILABLE = ProbeResult(ProbeOutcome.FAILED, code=503)
SILENT = ProbeResult(ProbeOutcome.FAILED)
IMPOSSIBLE = ProbeResult(ProbeOutcome.NOT_POSSIBLE)
PACE = Pace(rest=50.0, retry=4.0)


def after(*results):
    state = Threshold()
    for result in results:
        state = state.after(result)
    return state


@pytest.mark.parametrize(
    ("results", "believed"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([ANSWERED], None, id="one answer"),
        pytest.param([ANSWERED] * 2, ANSWERED, id="two"),
        pytest.param([UNAVAILABLE], None, id="one failure"),
        pytest.param([UNAVAILABLE, SILENT], SILENT, id="two, of different kinds"),
        pytest.param([IMPOSSIBLE] * 2, None, id="two that were not possible"),
        pytest.param([IMPOSSIBLE] * 3, IMPOSSIBLE, id="three"),
        pytest.param([ANSWERED, ANSWERED, UNAVAILABLE], ANSWERED, id="one failure is no proof"),
        pytest.param([ANSWERED, ANSWERED, UNAVAILABLE, ANSWERED, UNAVAILABLE], ANSWERED, id="nor are two with an answer between"),
        pytest.param([ANSWERED, ANSWERED, UNAVAILABLE, UNAVAILABLE], UNAVAILABLE, id="two in a row are"),
    ],
)
def test_a_result_counts_after_several_equal_ones(results, believed):
    assert after(*results).believed == believed


def test_the_first_message_of_a_result_is_kept():
    first, second = (ProbeResult(ProbeOutcome.FAILED, code=503, message=text) for text in ("first", "second"))
    assert after(first, first, second, second).believed == first


@pytest.mark.parametrize(
    ("results", "in_doubt"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([ANSWERED], False, id="an answer"),
        pytest.param([SLOW], True, id="a slow answer"),
        pytest.param([SILENT], True, id="no response at all"),
        pytest.param([UNAVAILABLE], False, id="a failure with a code is a clear one"),
        pytest.param([IMPOSSIBLE], False, id="no code, but nothing failed"),
        pytest.param([SILENT, ANSWERED], False, id="only the newest counts"),
    ],
)
def test_the_server_is_in_doubt_while_it_says_nothing_or_says_it_slowly(results, in_doubt):
    assert after(*results).is_in_doubt is in_doubt


@pytest.mark.parametrize(
    ("results", "took", "delay"),
    [
        pytest.param([], 0.0, 0.0, id="the first at once"),
        pytest.param([ANSWERED], 0.0, 0.1, id="soon while nothing is known"),
        pytest.param([ANSWERED], 0.04, pytest.approx(0.06), id="from the start of one to that of the next"),
        pytest.param([UNAVAILABLE], 3.0, 0.0, id="one that took long is repeated at once"),
        pytest.param([ANSWERED, ANSWERED], 0.0, 50.0, id="at rest"),
        pytest.param([ANSWERED, ANSWERED, UNAVAILABLE], 0.0, 1.0, id="soon while a new result is not confirmed"),
        pytest.param([UNAVAILABLE] * 2, 0.0, 2.0, id="a failure is looked at again"),
        pytest.param([UNAVAILABLE] * 3, 0.0, 4.0, id="after twice the time"),
        pytest.param([UNAVAILABLE] * 9, 0.0, 4.0, id="but not less often than the limit"),
        pytest.param([IMPOSSIBLE] * 3, 0.0, 50.0, id="what is not possible is at rest"),
    ],
)
def test_when_the_next_probe_is_due(results, took, delay):
    assert after(*results).delay(PACE, took) == delay
