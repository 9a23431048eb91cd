"""Edits of what Flux made are told from Flux's own writes."""

from tests.unit.factories import DIGEST, condition, release
from workspace_ctrl.controller.chart_drift_detector import ChartDriftDetector
from workspace_ctrl.records.chart_inventory import chart_object_id

ROLE = chart_object_id("Role", "phi-epp")
REQUESTED = "requested"
BUSY = release(conditions=(condition("Ready"), condition("Reconciling")))


def seen(*looks):
    """Whether drift is seen at each look: (content, seconds, record)."""
    detector, found = ChartDriftDetector(), []
    for look in looks:
        if look == REQUESTED:
            detector = detector.requested()
            continue
        content, now, record = (*look, release())[:3]
        detector = detector.observe(record, DIGEST, {ROLE: content}, now)
        found.append(detector.has_drifted)
    return found


def test_an_edit_is_seen_until_flux_was_asked_to_reconcile():
    assert seen((1, 0), (2, 10), (2, 11), REQUESTED, (2, 12), (3, 20)) == [False, True, True, False, True]


def test_what_flux_writes_is_no_edit():
    installed = release(inventory=ROLE)
    looks = [
        (1, 0),
        (2, 10, BUSY),
        (2, 11),
        (3, 11.5),  # of the same writes, by a watch that lags behind
        (3, 20, installed),  # an installation that no pass has seen at work
        (4, 20.5, installed),
    ]
    assert seen(*looks) == [False] * 6


def test_a_look_at_the_same_objects_makes_no_new_value():
    first = ChartDriftDetector().observe(release(), DIGEST, {ROLE: 1}, 0.0)
    assert first.observe(release(), DIGEST, {ROLE: 1}, 10.0) is first
