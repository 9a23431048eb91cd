"""What came of a fault, what was promised, and the table."""

import pytest

from e2e.agreement import report
from e2e.agreement.faults import FAULTS, Witness, faults_of
from e2e.agreement.outcome import Bounds, outcome
from e2e.agreement.run import bounds
from e2e.agreement.scene import ENVOY_GATEWAY, ISTIO, KTHENA, PROBE_SECONDS
from e2e.agreement.timeline import Stretch

FOUND = [
    Stretch(10.0, 11.0, ready=True, ok=True),
    Stretch(11.0, 14.0, ready=True, ok=False),
    Stretch(14.0, 20.0, ready=False, ok=False),
    Stretch(20.0, 21.0, ready=False, ok=True),
    Stretch(21.0, 23.0, ready=True, ok=True),
]


def test_times_count_from_injection_and_mending():
    found = outcome("it", "an object", Bounds(2.0, 5.0), FOUND, mended=18.0)
    assert (found.failing, found.true_while_failing, found.false_while_working) == (9.0, 3.0, 1.0)
    assert (found.told_after, found.recovered_after) == (4.0, 3.0)
    told = "0.0 answered/True, 1.0 failing/True, 4.0 failing/False, 10.0 answered/False, 11.0 answered/True; mended at 8.0"
    assert found.story == told


@pytest.mark.parametrize(
    ("promised", "broken"),
    [
        (Bounds(2.0, 5.0), ["it: GatewayReady was True while requests failed for 3.0 s; promised are at most 2 s"]),
        (Bounds(3.0, 0.5), ["it: GatewayReady was False while requests were answered for 1.0 s; promised are at most 0.5 s"]),
        (Bounds(None, None), []),
    ],
)
def test_a_broken_promise_is_said_with_its_story(promised, broken):
    found = outcome("it", "an object", promised, FOUND, mended=18.0)
    assert list(found.violations()) == [f"{words} ({found.story})" for words in broken]


def test_a_picker_that_is_gone_may_be_false_while_requests_pass_it_by():
    gone = next(fault for fault in FAULTS if fault.is_picker)
    assert bounds(gone, ISTIO).false_while_working is None
    assert bounds(gone, ENVOY_GATEWAY).false_while_working is not None


def test_the_later_a_fault_can_be_seen_the_longer_it_may_be_hidden():
    assert Witness.OBJECT.seconds < PROBE_SECONDS < Witness.REQUEST.seconds < Witness.KUBELET.seconds


def test_faults_have_names_of_their_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_where_the_class_brings_its_gateway_that_one_is_left_alone():
    assert faults_of(ISTIO) == FAULTS
    left_out = {fault.name for fault in FAULTS} - {fault.name for fault in faults_of(KTHENA)}
    assert left_out >= {"Gateway deleted", "HTTPS certificate removed"}
    assert "model pods hang" not in left_out


def test_the_table_marks_what_was_promised_and_not_kept():
    never = outcome(
        "a", "w", Bounds(2.0, None), [Stretch(0.0, 3.0, ready=True, ok=False), Stretch(3.0, 4.0, ready=True, ok=True)], 5.0
    )
    assert report.row(never) == ("a", "w", "3.0 s", "**3.0 s** (≤ 2)", "0.0 s", "never", "by itself")
    assert report.markdown([never]).splitlines()[2] == "| a | w | 3.0 s | **3.0 s** (≤ 2) | 0.0 s | never | by itself |"


def test_the_table_goes_where_the_document_keeps_its_place(tmp_path):
    document = tmp_path / "document.md"
    document.write_text(
        "a\n<!-- written by make agreement, istio: begin -->\nold\n<!-- written by make agreement, istio: end -->\nb\n"
    )
    report.write(document, "istio", "new")
    once = document.read_text()
    assert once == ("a\n<!-- written by make agreement, istio: begin -->\nnew\n<!-- written by make agreement, istio: end -->\nb\n")
    report.write(document, "istio", "new")
    assert document.read_text() == once
    with pytest.raises(report.NoPlaceError, match="kthena: begin"):
        report.find_place(once, "kthena")


def test_a_proxy_that_lives_on_what_it_had_may_disagree():
    (outlived,) = [fault for fault in FAULTS if fault.is_outlived]
    assert outlived.name == "HTTPS certificate removed"
    assert bounds(outlived, ISTIO).false_while_working is None
    assert bounds(outlived, ISTIO).true_while_failing == 2.0
    (deleted,) = [fault for fault in FAULTS if fault.name == "HTTPRoute deleted"]
    assert bounds(deleted, ISTIO).false_while_working == 5.0
