"""The chart links: Ready=True is not enough, and what is not ready is told with its cause and a way out."""

import pytest

from tests.unit.factories import NAMESPACE, chain, condition, decisions, derived, release, source
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.chart import Installation, release_link, source_link, uninstalling

TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN
SOURCE = f"OCIRepository {NAMESPACE}/{derived().source}"
RELEASE = f"HelmRelease {NAMESPACE}/{derived().release}"


def ready(status="True", reason="Because", message="so it is", generation=1):
    return condition("Ready", status, reason, message, generation)


def failing(reason="OCIArtifactPullFailed", message="MANIFEST_UNKNOWN"):
    return (ready("False", reason, message), condition("Reconciling", reason="ProgressingWithRetry"))


def stalled(reason="RetriesExceeded", message="Failed to install after 1 attempt(s)"):
    return (ready("False", "InstallFailed", message), condition("Stalled", reason=reason, message=message))


def of_source(record, age=0.0):
    return source_link(record, age)


def of_release(record, age=0.0, chart=None):
    return release_link(Installation(chart or source(), record, age))


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        pytest.param(None, UNKNOWN, "ChartNotRequested", id="not created yet"),
        pytest.param(source(), TRUE, "ChartFetched", id="fetched"),
        pytest.param(source(generation=2), UNKNOWN, "FetchingChart", id="fetched, but for an older spec"),
        pytest.param(source(digest=""), UNKNOWN, "FetchingChart", id="ready, but nothing stored"),
        pytest.param(source(suspended=True), FALSE, "Paused", id="suspended, and stamped ready by Flux all the same"),
        pytest.param(source(conditions=failing(), digest=""), FALSE, "OCIArtifactPullFailed", id="Flux's own reason is kept"),
        pytest.param(source(conditions=(ready(), condition("Reconciling"))), TRUE, "ChartFetched", id="looked for again"),
        pytest.param(
            source(conditions=failing()), TRUE, "ChartFetched", id="fetched for this spec, and cannot be looked for again"
        ),
        pytest.param(
            source(conditions=failing(), generation=2), UNKNOWN, "FetchingChart", id="a failure that speaks of an older spec"
        ),
        pytest.param(source(conditions=(), observed=-1), UNKNOWN, "FetchingChart", id="Flux has not looked yet"),
    ],
)
def test_source_link(record, status, reason):
    link = of_source(record)
    assert (link.status, link.reason) == (status, reason)


@pytest.mark.parametrize(
    ("chart", "record", "status", "reason"),
    [
        pytest.param(source(), None, UNKNOWN, "ChartNotInstalled", id="not created yet"),
        pytest.param(source(), release(), TRUE, "ChartInstalled", id="installed"),
        pytest.param(source(), release(generation=2), UNKNOWN, "ChartInstalling", id="ready, but for an older spec"),
        pytest.param(
            source(), release(generation=2, conditions=(ready(generation=2),)), UNKNOWN, "ChartInstalling", id="Ready runs ahead"
        ),
        pytest.param(source(), release(attempted=0), UNKNOWN, "ChartInstalling", id="generation stamped while suspended"),
        pytest.param(source(), release(deployed=False), UNKNOWN, "ChartInstalling", id="the history tells of other values"),
        pytest.param(source(digest="sha256:bbbb"), release(), UNKNOWN, "ChartInstalling", id="ready, but with the old chart"),
        pytest.param(source(), release(conditions=failing("InstallFailed", "no such image")), FALSE, "InstallFailed", id="failed"),
        pytest.param(
            source(),
            release(conditions=(ready("Unknown", "Progressing"), condition("Released", "False", "UpgradeFailed", "boom"))),
            FALSE,
            "UpgradeFailed",
            id="a retry does not hide the error",
        ),
        pytest.param(source(), release(conditions=(ready("False", "TestFailed", "no"),)), FALSE, "TestFailed", id="tests failed"),
        pytest.param(
            source(),
            release(conditions=failing("SourceNotReady", "not yet"), deployed=False),
            UNKNOWN,
            "WaitingForChart",
            id="waits for the source",
        ),
        pytest.param(
            source(),
            release(conditions=failing("DependencyNotReady", "not yet"), deployed=False),
            UNKNOWN,
            "WaitingForChart",
            id="waits for another release",
        ),
        pytest.param(source(), release(conditions=failing("", "boom")), FALSE, "ChartInstalling", id="failed without a reason"),
        pytest.param(
            source(),
            release(conditions=(ready("False", "", "boom"), *stalled()[1:])),
            FALSE,
            "ChartInstalling",
            id="given up without a reason",
        ),
        pytest.param(source(), release(suspended=True), FALSE, "Paused", id="a user's pause is not fought"),
        pytest.param(source(), release(conditions=stalled()), FALSE, "InstallFailed", id="given up"),
    ],
)
def test_release_link(chart, record, status, reason):
    link = of_release(record, chart=chart)
    assert (link.status, link.reason) == (status, reason)


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param((ready(), condition("Reconciling", message="Fulfilling prerequisites")), id="begins"),
        pytest.param((ready("Unknown", "Progressing"), condition("Reconciling")), id="corrects drift"),
        pytest.param((ready("Unknown", "Progressing"),), id="lost the write of its end (helm-controller 1409)"),
        pytest.param(failing("ArtifactFailed", "connection refused"), id="source-controller is away"),
        pytest.param(failing("SourceNotReady", "no artifact"), id="source-controller has started anew"),
    ],
)
def test_what_is_installed_stays_so_while_flux_looks_at_it_again(conditions):
    assert of_release(release(conditions=conditions)).holds


@pytest.mark.parametrize(
    ("record", "chart"),
    [
        pytest.param(release(conditions=(ready("Unknown"),), deployed=False), source(), id="other values"),
        pytest.param(release(conditions=(ready("Unknown"),)), source(digest="sha256:bbbb"), id="another chart"),
        pytest.param(
            release(conditions=(ready("Unknown"), condition("Released", "False", "UpgradeFailed", "boom"))),
            source(),
            id="a failure",
        ),
    ],
)
def test_a_look_that_changes_something_is_no_mere_look(record, chart):
    assert not of_release(record, chart=chart).holds


@pytest.mark.parametrize(
    ("record", "age", "message"),
    [
        pytest.param(
            source(conditions=failing(message="failed to pull: MANIFEST_UNKNOWN: manifest unknown."), digest=""),
            0,
            "failed to pull: MANIFEST_UNKNOWN: manifest unknown; the registry does not have this chart version; push it, or "
            "choose another one with --chart-url and --chart-version",
            id="no such version",
        ),
        pytest.param(
            source(conditions=failing(message="dial tcp 127.0.0.1:5000: connect: connection refused"), digest=""),
            0,
            "dial tcp 127.0.0.1:5000: connect: connection refused; the registry is down or unreachable; check that "
            "source-controller can reach it",
            id="no registry",
        ),
        pytest.param(
            source(conditions=failing(message="read tcp 10.0.0.1:45678->10.0.0.2:443: read: connection reset by peer"), digest=""),
            0,
            "read tcp 10.0.0.2:443: read: connection reset by peer; the registry is down or unreachable; check that "
            "source-controller can reach it",
            id="text that differs at each attempt is left out",
        ),
        pytest.param(
            source(conditions=failing("AuthenticationFailed", 'secret "pull" not found'), digest=""),
            600,
            'secret "pull" not found; failing for over 10 minutes; check that the Secrets in its spec exist and are valid; Flux retries',
            id="for long",
        ),
        pytest.param(source(conditions=failing("Mysterious", "what?"), digest=""), 0, "what?; Flux retries", id="no hint"),
        pytest.param(
            source(conditions=(ready("False", "URLInvalid", "bad url"), condition("Stalled", reason="URLInvalid")), digest=""),
            0,
            "bad url; Flux no longer retries; correct --chart-url; it has the form oci://registry/path, without a tag",
            id="given up",
        ),
        pytest.param(
            source(conditions=(), observed=-1, digest=""),
            60,
            "source-controller has not reconciled it for over a minute; check that it runs and watches this namespace: kubectl get "
            "pods --all-namespaces -l app=source-controller",
            id="source-controller is away",
        ),
    ],
)
def test_a_source_says_what_is_wrong_and_what_to_do(record, age, message):
    link = of_source(record, age)
    assert (link.status, link.message) == (FALSE, f"{SOURCE}: {message}")


@pytest.mark.parametrize(
    ("record", "age", "message"),
    [
        pytest.param(release(conditions=failing("InstallFailed", "no")), 0, "no; Flux retries", id="once"),
        pytest.param(
            release(conditions=failing("InstallFailed", "no"), failures=3),
            0,
            "no; failed 3 times; Flux retries",
            id="attempts are counted",
        ),
        pytest.param(
            release(conditions=failing("InstallFailed", "no"), failures=11),
            600,
            "no; failed 11 times; failing for over 10 minutes; Flux retries, but the cause has to be fixed",
            id="for long",
        ),
        pytest.param(
            release(conditions=failing("UpgradeFailed", 'User "system:serviceaccount:a:flux" cannot get resource "secrets"')),
            0,
            'User "system:serviceaccount:a:flux" cannot get resource "secrets"; restore the ServiceAccount that Flux uses for the '
            "installation, with its RBAC rules",
            id="the ServiceAccount is gone, or its rights",
        ),
        pytest.param(
            release(conditions=stalled()),
            0,
            "Failed to install after 1 attempt(s); Flux no longer retries; fix the cause; then: flux reconcile helmrelease "
            "workspace-phi-4-mini-inferencepool -n default --reset",
            id="given up",
        ),
        pytest.param(
            release(conditions=(), observed=-1, deployed=False),
            60,
            "helm-controller has not reconciled it for over a minute; check that it runs and watches this namespace: kubectl get "
            "pods --all-namespaces -l app=helm-controller",
            id="helm-controller is away",
        ),
        pytest.param(
            release(conditions=(ready("Unknown"), condition("Reconciling")), observed=-1, deployed=False),
            360,
            "helm-controller has not finished in time; check that it runs: kubectl get pods --all-namespaces -l app=helm-controller",
            id="helm-controller died at work",
        ),
    ],
)
def test_a_release_says_what_is_wrong_and_what_to_do(record, age, message):
    link = of_release(record, age)
    assert (link.status, link.message) == (FALSE, f"{RELEASE}: {message}")


@pytest.mark.parametrize(
    ("record", "age", "terminal"),
    [
        pytest.param(release(conditions=failing("InstallFailed", "no")), 599, False, id="fails"),
        pytest.param(release(conditions=failing("InstallFailed", "no")), 600, True, id="has failed for 10 minutes"),
        pytest.param(
            release(conditions=failing("SourceNotReady", "no"), deployed=False), 600, True, id="has waited for 10 minutes"
        ),
        pytest.param(release(conditions=stalled()), 0, True, id="Flux has given up"),
        pytest.param(release(conditions=(), observed=-1, deployed=False), 600, False, id="Flux is away"),
    ],
)
def test_only_a_person_helps_where_flux_gave_up_or_has_failed_for_long(record, age, terminal):
    assert of_release(record, age).terminal is terminal


def test_what_has_failed_for_long_without_a_reason_has_ours():
    assert of_release(release(conditions=failing("", "boom")), 600).reason == "ChartInstalling"


def test_what_planning_could_not_do_comes_first():
    problem = Problem(LinkName.SOURCE, "NotOwned", "not managed by workspace-ctrl")
    (link,) = [link for link in chain(Snapshot(source=source()), decisions(problem)) if link.name is LinkName.SOURCE]
    assert link.reason == "NotOwned"


def test_an_uninstallation_that_hangs_says_on_what():
    failed = (condition("Released", "False", "UninstallFailed", "quota exceeded"),)
    assert uninstalling(release(conditions=failed), 0) == "quota exceeded; Flux retries"
    assert uninstalling(release(), 59) == ""
    assert uninstalling(release(), 60) == (
        "helm-controller has not uninstalled it for over a minute; check that it runs: kubectl get pods --all-namespaces -l "
        "app=helm-controller; if Flux was uninstalled: kubectl patch helmrelease workspace-phi-4-mini-inferencepool -n default "
        """--type=merge -p '{"metadata":{"finalizers":null}}', which leaves the objects of the chart behind"""
    )


def test_a_failure_to_fetch_stays_while_flux_tries_again():
    again = (
        condition("Ready", "Unknown", "Progressing"),
        condition("Reconciling"),
        condition("FetchFailed", "True", "PullFailed", "not found"),
    )
    found = source_link(source(conditions=again, observed=0, digest=""), 0.0)
    assert (found.status, found.reason) == (FALSE, "PullFailed")
