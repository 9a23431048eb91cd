"""The chart links: has Flux fetched and installed the requested chart in the requested version?

A HelmRelease's Ready=True is not enough: it may be for an older spec, for an older chart (a new tag in the OCIRepository does not change
the HelmRelease's generation), or for a release that a user has suspended. And no status of Flux shows that Flux itself is down or will
never succeed: only elapsed time shows that. Rules: docs/concepts/readiness.md.
"""

import re
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.hints import remedy
from workspace_ctrl.records.flux import WAITING_REASONS, FluxObject, HelmRelease, OCIRepository, Stage, installed_release

_CONTROLLERS: Final = {"OCIRepository": "source-controller", "HelmRelease": "helm-controller"}
_SILENT: Final = {"OCIRepository": "SourceControllerSilent", "HelmRelease": "HelmControllerSilent"}
_RESUME: Final = {"OCIRepository": "source oci", "HelmRelease": "helmrelease"}
_OWN_PORT: Final = re.compile(r"(?<= )\S+:\d+->(?=\S+:\d+)")
"""The local address in a network error of Go; its port differs at each attempt, which would change the status each time."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The Flux objects that install a chart; None for an object that does not exist."""

    source: OCIRepository | None = None
    release: HelmRelease | None = None
    age: float = 0.0
    """Seconds since the release entered its stage."""

    @property
    def installed(self) -> HelmRelease | None:
        """The release, if it has installed the chart of the source with the newest values."""
        return installed_release(self.source, self.release)


def source_link(source: OCIRepository | None, age: float) -> Link:
    """Return whether Flux has fetched the chart of the newest spec; `age` is for how many seconds it has been in its stage."""
    name = LinkName.SOURCE
    if source is None:
        return Link.waiting(name, "ChartNotRequested", "OCIRepository has not been created yet")
    match source.stage:
        case Stage.DONE:
            failed = source.failure
            remark = f"; the newest check for updates failed: {_words(failed)}" if failed is not None else ""
            return Link.true(name, "ChartFetched", f"{source.ref} fetched {source.revision}{remark}")
        case Stage.FAILING | Stage.STALLED:
            return _failing(name, source, source.failure, age, "FetchingChart")
        case _:
            return _not_done(name, source, source.stage, age, "FetchingChart")


def release_link(chart: Installation) -> Link:
    """Return whether Flux has installed the chart that the source has now, with the newest values."""
    name, source, release, age = LinkName.RELEASE, chart.source, chart.release, chart.age
    if release is None or source is None:
        return Link.waiting(name, "ChartNotInstalled", "HelmRelease has not been created yet; waiting for the chart and a Gateway")
    if chart.installed is not None:
        return Link.true(name, "ChartInstalled", f"{release.ref}: {release.chart_name} {release.chart_version} installed")
    stage = release.stage(source.digest)
    if stage not in {Stage.FAILING, Stage.STALLED}:
        return _not_done(name, release, stage, age, "ChartInstalling")
    failed = release.failure
    if failed is not None and failed.reason in WAITING_REASONS and not _is_late(stage, age):
        return Link.waiting(name, "WaitingForChart", f"{release.ref} is waiting: {failed.reason}: {_words(failed)}")
    return _failing(name, release, failed, age, "ChartInstalling", release.failures)


def missing_object(name: LinkName, chart: Installation, reason: str, expected: str) -> Link:
    """Return the link of a chart object that does not exist: not installed yet, or deleted after the installation."""
    release = chart.installed
    if release is None or chart.source is None:
        return Link.waiting(name, reason, f"{expected} has not been created yet")
    is_silent = release.stage(chart.source.digest) is Stage.UNSEEN and _is_late(Stage.UNSEEN, chart.age)
    what_next = "requested a reconciliation from Flux to restore it"
    if is_silent:
        what_next = _silence(release)
    elif release.is_busy and not release.requested:  # a request now would be answered by what is under way
        where = _where("helm-controller")
        what_next = f"Flux is reconciling the release; if that does not end, check that helm-controller runs: {where}"
    return Link.broken(name, reason, f"{expected} not found, although {release.ref} has installed it; {what_next}")


def uninstalling(release: HelmRelease, age: float) -> str:
    """Return what blocks the deletion of a release; empty while nothing is known to block it."""
    failed = release.failure
    if failed is not None and failed.reason == "UninstallFailed":
        return f"{_words(failed)}; {remedy(release.ref.kind, failed.reason, failed.message) or 'Flux retries'}"
    if not _is_late(Stage.DELETING, age):
        return ""
    patch = f"kubectl patch helmrelease {release.ref.name} -n {release.ref.namespace} --type=merge"
    return (
        f"helm-controller has not uninstalled it for over a minute; check that it runs: {_where('helm-controller')}; if Flux was "
        f'uninstalled: {patch} -p \'{{"metadata":{{"finalizers":null}}}}\', which leaves the objects of the chart behind'
    )


def _not_done(name: LinkName, record: FluxObject, stage: Stage, age: float, reason: str) -> Link:
    """Return the link of an object that Flux has not reconciled yet and for which it reports no failure."""
    kind, ref = record.ref.kind, record.ref
    if stage is Stage.DELETING:
        return Link.waiting(name, "Deleting", f"{ref} is being deleted and will be created again")
    if stage is Stage.PAUSED:
        resume = f"flux resume {_RESUME[kind]} {ref.name} -n {ref.namespace}"
        return Link.broken(name, "Paused", f"{ref} is suspended; resume it: {resume}")
    ready = record.newest_condition
    if not _is_late(stage, age):
        return Link.waiting(name, reason, f"{ref}: {_words(ready) if ready is not None and not ready.is_true else 'not ready yet'}")
    if stage is Stage.UNSEEN:
        return Link.broken(name, _SILENT[kind], f"{ref}: {_silence(record)}")
    controller = _CONTROLLERS[kind]
    return Link.broken(
        name, _SILENT[kind], f"{ref}: {controller} has not finished in time; check that it runs: {_where(controller)}"
    )


def _failing(  # noqa: PLR0917 - all that the message is made of
    name: LinkName, record: FluxObject, failed: Condition | None, age: float, reason: str, attempts: int = 0
) -> Link:
    """Return the link of an object that Flux fails to reconcile: Flux's message, the number of failures, and the way out."""
    stalled = record.is_true("Stalled")
    failed = (record.condition("Ready") or record.condition("Stalled")) if stalled or failed is None else failed
    if failed is None:
        return Link.waiting(name, reason, f"{record.ref}: not ready yet")
    words = f"{record.ref}: {_words(failed)}"
    counted = f"failed {attempts} times; " if attempts > 1 else ""
    advice = remedy(record.ref.kind, failed.reason, failed.message)
    if stalled:
        reset = f"flux reconcile helmrelease {record.ref.name} -n {record.ref.namespace} --reset"
        way_out = advice or "fix the cause"
        end = f"; then: {reset}" if record.ref.kind == "HelmRelease" else ""
        return Link.broken(name, failed.reason or reason, f"{words}; {counted}Flux no longer retries; {way_out}{end}").ended()
    again = "Flux retries"
    if _is_late(Stage.FAILING, age):
        way_out = f"{advice}; {again}" if advice else f"{again}, but the cause has to be fixed"
        return Link.broken(name, failed.reason or reason, f"{words}; {counted}failing for over 10 minutes; {way_out}").ended()
    return Link.broken(
        name, failed.reason or reason, "; ".join(filter(None, (words, f"{counted}{advice}" if advice else counted + again)))
    )


def _is_late(stage: Stage, age: float) -> bool:
    return stage.patience is not None and age >= stage.patience


def _silence(record: FluxObject) -> str:
    controller = _CONTROLLERS[record.ref.kind]
    said = f"{controller} has not reconciled it for over a minute"
    return f"{said}; check that it runs and watches this namespace: {_where(controller)}"


def _where(controller: str) -> str:
    return f"kubectl get pods --all-namespaces -l app={controller}"


def _words(condition: Condition) -> str:
    """Return a condition's message without the parts that differ between two equal failures."""
    return _OWN_PORT.sub("", condition.message).rstrip(".\n ") or condition.reason
