"""The chart links: has Flux fetched and installed the chart that we asked for, in the version that we asked for?

A HelmRelease's Ready=True is not enough: it may speak of an older spec, of an older chart (a new tag in the OCIRepository does not change
the HelmRelease's generation), or of a release that a user has suspended. And nothing of Flux says that Flux has gone away, or that it will
never succeed: that is told by time. Rules: docs/concepts/readiness.md.
"""

import re
from typing import Final

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.readiness.remedies import remedy
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.flux import WAITING_REASONS, FluxObject, HelmRelease, Stage
from workspace_ctrl.records.snapshot import Snapshot

_CONTROLLERS: Final = {"OCIRepository": "source-controller", "HelmRelease": "helm-controller"}
_SILENT: Final = {"OCIRepository": "SourceControllerSilent", "HelmRelease": "HelmControllerSilent"}
_RESUME: Final = {"OCIRepository": "source oci", "HelmRelease": "helmrelease"}
_OWN_PORT: Final = re.compile(r"(?<= )\S+:\d+->(?=\S+:\d+)")
"""The caller's end of a connection in an error of Go's, which is another one at each attempt."""


def source_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether Flux holds the chart that the newest spec asks for."""
    name, source, age = LinkName.SOURCE, snapshot.source, snapshot.ages.source
    problem = decisions.problem(name)
    if problem is not None:
        return Link.of_problem(problem)
    if source is None:
        return Link.waiting(name, "ChartNotRequested", "the OCIRepository is not there yet")
    match source.stage:
        case Stage.DONE:
            failed = source.failure
            remark = f"; it cannot be looked for again just now: {_words(failed)}" if failed is not None else ""
            return Link.true(name, "ChartFetched", f"{source.ref} holds {source.revision}{remark}")
        case Stage.FAILING | Stage.STALLED:
            return _failing(name, source, source.failure, age, "FetchingChart")
        case _:
            return _not_done(name, source, source.stage, age, "FetchingChart")


def release_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether Flux has installed the chart that the source holds now, with the newest values."""
    name, age = LinkName.RELEASE, snapshot.ages.release
    problem = decisions.problem(name)
    if problem is not None:
        return Link.of_problem(problem)
    release, source = snapshot.release, snapshot.source
    if release is None or source is None:
        return Link.waiting(name, "ChartNotInstalled", "the HelmRelease waits for the chart and a Gateway")
    if snapshot.has_chart:
        return Link.true(name, "ChartInstalled", f"{release.ref}: {release.chart_name} {release.chart_version} installed")
    stage = release.stage(source.digest)
    if stage not in {Stage.FAILING, Stage.STALLED}:
        return _not_done(name, release, stage, age, "ChartInstalling")
    failed = release.failure
    if failed is not None and failed.reason in WAITING_REASONS and not _is_late(stage, age):
        return Link.waiting(name, "WaitingForChart", f"{release.ref} waits: {failed.reason}: {_words(failed)}")
    return _failing(name, release, failed, age, "ChartInstalling", release.failures)


def silence(snapshot: Snapshot) -> str:
    """Return that helm-controller does not do what it was asked to do for the release; empty while it may still come."""
    release, source = snapshot.release, snapshot.source
    if release is None or source is None:
        return ""
    stage = release.stage(source.digest)
    return _silence(release) if stage is Stage.UNSEEN and _is_late(stage, snapshot.ages.release) else ""


def uninstalling(release: HelmRelease, age: float) -> str:
    """Return what keeps a release that is being deleted from going; empty while nothing is known to."""
    failed = release.failure
    if failed is not None and failed.reason == "UninstallFailed":
        return f"{_words(failed)}; {remedy(failed.reason, failed.message) or 'Flux tries again by itself'}"
    if not _is_late(Stage.DELETING, age):
        return ""
    patch = f"kubectl patch helmrelease {release.ref.name} -n {release.ref.namespace} --type=merge"
    return (
        f"helm-controller has not finished that for more than a minute; see whether it runs: {_where('helm-controller')}; where Flux is "
        f'gone for good: {patch} -p \'{{"metadata":{{"finalizers":null}}}}\', which leaves the chart\'s objects behind'
    )


def _not_done(name: LinkName, record: FluxObject, stage: Stage, age: float, reason: str) -> Link:
    """Return the link of an object that Flux has not finished, and of which it says nothing bad."""
    kind, ref = record.ref.kind, record.ref
    if stage is Stage.DELETING:
        return Link.waiting(name, "Deleting", f"{ref} is being deleted, and comes back after that")
    if stage is Stage.PAUSED:
        resume = f"flux resume {_RESUME[kind]} {ref.name} -n {ref.namespace}"
        return Link.broken(name, "Paused", f"{ref} is suspended; resume it with: {resume}")
    ready = record.newest_condition
    if not _is_late(stage, age):
        return Link.waiting(
            name, reason, f"{ref}: {_words(ready) if ready is not None and not ready.is_true else 'not finished yet'}"
        )
    if stage is Stage.UNSEEN:
        return Link.broken(name, _SILENT[kind], f"{ref}: {_silence(record)}")
    controller = _CONTROLLERS[kind]
    return Link.broken(name, _SILENT[kind], f"{ref}: {controller} does not finish; see whether it runs: {_where(controller)}")


def _failing(  # noqa: PLR0917 - what there is to say
    name: LinkName, record: FluxObject, failed: Condition | None, age: float, reason: str, attempts: int = 0
) -> Link:
    """Return the link of an object at which Flux fails: what it says, how often, and a way out."""
    stalled = record.is_true("Stalled")
    failed = (record.condition("Ready") or record.condition("Stalled")) if stalled or failed is None else failed
    if failed is None:
        return Link.waiting(name, reason, f"{record.ref}: not finished yet")
    words = f"{record.ref}: {_words(failed)}"
    counted = f"failed {attempts} times; " if attempts > 1 else ""
    advice = remedy(failed.reason, failed.message)
    if stalled:
        reset = f"flux reconcile helmrelease {record.ref.name} -n {record.ref.namespace} --reset"
        way_out = advice or "change what is wrong"
        end = f"; then: {reset}" if record.ref.kind == "HelmRelease" else ""
        return Link.broken(name, failed.reason or reason, f"{words}; {counted}Flux has given up; {way_out}{end}").ended()
    again = "Flux tries again by itself"
    if _is_late(Stage.FAILING, age):
        way_out = f"{advice}; {again}" if advice else f"{again}, but a person should look"
        return Link.broken(name, failed.reason or reason, f"{words}; {counted}for more than 10 minutes; {way_out}").ended()
    return Link.broken(
        name, failed.reason or reason, "; ".join(filter(None, (words, f"{counted}{advice}" if advice else counted + again)))
    )


def _is_late(stage: Stage, age: float) -> bool:
    return stage.patience is not None and age >= stage.patience


def _silence(record: FluxObject) -> str:
    controller = _CONTROLLERS[record.ref.kind]
    said = f"{controller} has not looked at it for more than a minute"
    return f"{said}; see whether it runs, and watches this namespace: {_where(controller)}"


def _where(controller: str) -> str:
    return f"kubectl get pods --all-namespaces -l app={controller}"


def _words(condition: Condition) -> str:
    """Return a condition's message, without what differs between two attempts that fail in the same way."""
    return _OWN_PORT.sub("", condition.message).rstrip(".\n ") or condition.reason
