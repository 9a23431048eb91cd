"""The chart links: Ready=True is not enough."""

import pytest

from tests.unit.factories import condition, decisions, release, source
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.chart import release_link, source_link
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.snapshot import Snapshot

TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN


def failing(reason="OCIArtifactPullFailed", message="MANIFEST_UNKNOWN"):
    return (condition("Ready", "False", reason, message), condition("Reconciling", reason="ProgressingWithRetry"))


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        pytest.param(None, UNKNOWN, "ChartNotRequested", id="not created yet"),
        pytest.param(source(), TRUE, "ChartFetched", id="fetched"),
        pytest.param(source(generation=2), UNKNOWN, "FetchingChart", id="fetched, but for an older spec"),
        pytest.param(source(digest=""), UNKNOWN, "FetchingChart", id="ready, but nothing stored"),
        pytest.param(source(suspended=True), FALSE, "Paused", id="suspended, and stamped ready by Flux all the same"),
        pytest.param(source(conditions=failing(), digest=""), FALSE, "OCIArtifactPullFailed", id="Flux's own reason is kept"),
        pytest.param(source(conditions=(condition("Ready"), condition("Reconciling"))), UNKNOWN, "FetchingChart", id="still at it"),
        pytest.param(source(conditions=(), observed=-1), UNKNOWN, "FetchingChart", id="Flux has not looked yet"),
    ],
)
def test_source_link(record, status, reason):
    link = source_link(decisions(), record)
    assert (link.status, link.reason) == (status, reason)


@pytest.mark.parametrize(
    ("chart", "record", "status", "reason"),
    [
        pytest.param(source(), None, UNKNOWN, "ChartNotInstalled", id="not created yet"),
        pytest.param(source(), release(), TRUE, "ChartInstalled", id="installed"),
        pytest.param(source(), release(generation=2), UNKNOWN, "ChartInstalling", id="ready, but for an older spec"),
        pytest.param(source(), release(attempted=0), UNKNOWN, "ChartInstalling", id="generation stamped while suspended"),
        pytest.param(source(digest="sha256:bbbb"), release(), UNKNOWN, "ChartInstalling", id="ready, but with the old chart"),
        pytest.param(source(), release(conditions=failing("InstallFailed", "no such image")), FALSE, "InstallFailed", id="failed"),
        pytest.param(
            source(),
            release(
                conditions=(condition("Ready", "Unknown", "Progressing"), condition("Released", "False", "UpgradeFailed", "boom"))
            ),
            FALSE,
            "UpgradeFailed",
            id="a retry does not hide the error",
        ),
        pytest.param(source(), release(suspended=True), FALSE, "Paused", id="a user's pause is not fought"),
        pytest.param(
            source(), release(conditions=(condition("Ready"), condition("Stalled"))), UNKNOWN, "ChartInstalling", id="stalled"
        ),
    ],
)
def test_release_link(chart, record, status, reason):
    link = release_link(decisions(), Snapshot(source=chart, release=record))
    assert (link.status, link.reason) == (status, reason)


def test_a_failure_is_quoted_with_its_object():
    link = release_link(
        decisions(), Snapshot(source=source(), release=release(conditions=failing("InstallFailed", "no such image")))
    )
    assert link.message == "HelmRelease default/workspace-phi-4-mini-inferencepool: no such image"


def test_a_stalled_source_is_terminal():
    stalled = source(conditions=(condition("Ready", "False", "URLInvalid"), condition("Stalled")))
    assert source_link(decisions(), stalled).terminal


def test_what_planning_could_not_do_comes_first():
    problem = Problem(LinkName.SOURCE, "NotOwned", "somebody else's")
    assert source_link(decisions(problem), source()).reason == "NotOwned"
