"""The chart links: has Flux fetched and installed the chart that we asked for, in the version that we asked for?

A HelmRelease's Ready=True is not enough: it may speak of an older spec, of an older chart (a new tag in the OCIRepository does not change
the HelmRelease's generation), or of a release that a user has suspended. Rules: docs/concepts/readiness.md.
"""

from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.snapshot import Snapshot


def source_link(decisions: Decisions, source: OCIRepository | None) -> Link:
    """Return whether Flux holds the chart that the newest spec asks for."""
    problem = decisions.problem(LinkName.SOURCE)
    if problem is not None:
        return Link.of_problem(problem)
    if source is None:
        return Link.waiting(LinkName.SOURCE, "ChartNotRequested", "the OCIRepository is not there yet")
    if source.suspended:
        remedy = f"flux resume source oci {source.ref.name} -n {source.ref.namespace}"
        return Link.broken(LinkName.SOURCE, "Paused", f"{source.ref} is suspended; resume it with: {remedy}")
    if source.is_current:
        return Link.true(LinkName.SOURCE, "ChartFetched", f"{source.ref} holds {source.revision}")
    link = Link.of_condition(LinkName.SOURCE, source.ref, source.condition("Ready"), "FetchingChart")
    return link.ended() if source.is_true("Stalled") else link


def release_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether Flux has installed the chart that the source holds now, with the newest values."""
    problem = decisions.problem(LinkName.RELEASE)
    if problem is not None:
        return Link.of_problem(problem)
    release, source = snapshot.release, snapshot.source
    if release is None or source is None:
        return Link.waiting(LinkName.RELEASE, "ChartNotInstalled", "the HelmRelease waits for the chart and a Gateway")
    if release.suspended:
        remedy = f"flux resume helmrelease {release.ref.name} -n {release.ref.namespace}"
        return Link.broken(LinkName.RELEASE, "Paused", f"{release.ref} is suspended; resume it with: {remedy}")
    if release.has_installed(source.digest):
        return Link.true(
            LinkName.RELEASE, "ChartInstalled", f"{release.ref}: {release.chart_name} {release.chart_version} installed"
        )
    return _unfinished(release)


def _unfinished(release: HelmRelease) -> Link:
    """Return what Flux says of a release that is not installed: `Released` first, because a retry covers the error in `Ready`."""
    released, ready = release.condition("Released"), release.condition("Ready")
    if released is not None and not released.is_true and released.speaks_of(release.meta.generation):
        link = Link.of_condition(LinkName.RELEASE, release.ref, released, "ChartInstalling")
    else:
        link = Link.of_condition(LinkName.RELEASE, release.ref, ready, "ChartInstalling")
    return link.ended() if release.is_true("Stalled") else link
