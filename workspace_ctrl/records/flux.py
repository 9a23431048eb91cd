"""OCIRepository and HelmRelease, with the exact rules for whether Flux has reconciled them, and their stage until then.

Sources: source-controller v1.9 and helm-controller v1.6, `api/` and `internal/reconcile`; docs/concepts/readiness.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from sys import intern
from typing import Final

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.labels import REQUESTED_AT_ANNOTATION
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.records.chart_inventory import chart_objects_of_inventory
from workspace_ctrl.records.meta import Conditioned, Json, conditions_of, parse_meta, spec_of, status_of

_LONGEST_WORD: Final = 512
"""Characters of revisions, names and versions of charts; real ones have less than 300."""
WAITING_REASONS: Final = frozenset({"SourceNotReady", "ArtifactFailed", "DependencyNotReady"})
"""Reasons of a HelmRelease that waits for other objects; its installed objects keep running."""


class Stage(StrEnum):
    """The stage of an object of Flux."""

    DONE = "done"
    PAUSED = "paused"
    UNSEEN = "unseen"
    """Its controller has not handled the newest spec or the last reconciliation request yet."""
    WORKING = "working"
    FAILING = "failing"
    """It failed, and Flux retries."""
    STALLED = "stalled"
    """It failed, and Flux does not retry."""
    DELETING = "deleting"

    @property
    def patience(self) -> float | None:
        """Seconds after which an object in this stage is reported as late; None for never.

        Flux handles a new spec within a second and ends an action at the latest after the 5 minutes of `spec.timeout`. After 10 minutes
        of failures it has made some ten attempts.
        """
        return _PATIENCE.get(self)


_PATIENCE: Final = {Stage.UNSEEN: 60.0, Stage.DELETING: 60.0, Stage.WORKING: 360.0, Stage.FAILING: 600.0}

_IN_PROGRESS: Final = frozenset({Stage.UNSEEN, Stage.WORKING})


@dataclass(frozen=True, slots=True)
class FluxObject(Conditioned):
    """Common part of both kinds."""

    observed_generation: int = -1
    suspended: bool = False

    @property
    def newest_condition(self) -> Condition | None:
        """The Ready condition, if it is for the newest spec."""
        ready = self.condition("Ready")
        return ready if ready is not None and ready.speaks_of(self.meta.generation) else None

    @property
    def is_busy(self) -> bool:
        """Whether its controller reconciles it now, or will do so later."""
        return self.is_true("Reconciling")

    def unfinished_stage(self) -> Stage:
        """Return the stage of an object that is not done."""
        if self.meta.deleting:
            return Stage.DELETING
        if self.suspended:
            return Stage.PAUSED
        if self.is_true("Stalled"):
            return Stage.STALLED
        if all(condition.observed_generation != self.meta.generation for condition in self.conditions):
            return Stage.UNSEEN
        return Stage.FAILING if self.failure is not None else Stage.WORKING

    @property
    def failure(self) -> Condition | None:
        """The condition of the last failure for the newest spec; None if there is none.

        `Released` takes precedence over `Ready`, which a new attempt overwrites.
        """
        for type_ in ("Released", "Ready"):
            condition = self.condition(type_)
            if condition is not None and condition.status == Status.FALSE and condition.speaks_of(self.meta.generation):
                return condition
        # `Ready` is Unknown for a moment during each retry; this one stays until it succeeds.
        failed = self.condition("FetchFailed")
        return failed if failed is not None and failed.is_true and failed.speaks_of(self.meta.generation) else None


@dataclass(frozen=True, slots=True)
class OCIRepository(FluxObject):
    """The source of the chart."""

    revision: str = ""
    """`<tag>@sha256:...` or `sha256:...` of the stored artifact; empty if there is none."""

    @property
    def digest(self) -> str:
        """Digest of the stored chart, `sha256:...`."""
        return self.revision.rpartition("@")[2]

    @property
    def tag(self) -> str:
        """Tag of the stored chart; empty when it is pinned by digest."""
        return self.revision.rpartition("@")[0]

    @property
    def is_current(self) -> bool:
        """Whether the stored artifact was fetched for the newest spec.

        `observedGeneration` changes only on success, so the artifact stays current after a later failure, such as a registry that is down
        when Flux checks for a moved tag. A suspended source gets the new generation with the old artifact, so suspension is checked first.
        """
        return (
            not self.suspended
            and not self.meta.deleting
            and self.observed_generation == self.meta.generation
            and bool(self.revision)
            and self.newest_condition is not None
            and not self.is_true("Stalled")
        )

    @property
    def is_starting(self) -> bool:
        """Whether Flux has yet to fetch the newest spec's artifact, and has not failed to."""
        return self.meta.is_usable and self.stage in _IN_PROGRESS

    @property
    def stage(self) -> Stage:
        """Its stage."""
        return Stage.DONE if self.is_current else self.unfinished_stage()


def parse_oci_repository(raw: Json, kind: str) -> OCIRepository:
    """Return the record of an OCIRepository."""
    status = status_of(raw)
    artifact = status.get("artifact") or {}
    return OCIRepository(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=status.get("observedGeneration", -1),
        suspended=bool(spec_of(raw).get("suspend")),
        revision=_word(artifact.get("revision")),
    )


@dataclass(frozen=True, slots=True)
class HelmRelease(FluxObject):
    """The installation of the chart."""

    last_attempted_generation: int = 0
    last_attempted_digest: str = ""
    deployed: bool = False
    """Whether the newest entry in the history is deployed, with the chart and values of the last attempt."""
    failures: int = 0
    chart_name: str = ""
    """Name of the chart of the newest entry in the history."""
    chart_version: str = ""
    """Version of that chart, with the digest that Flux appends."""
    requested: bool = False
    """Whether a reconciliation was requested that helm-controller has not handled yet."""
    inventory: bytes = b""
    """The objects of the chart, packed; empty before Flux 2.8, which has no inventory."""

    @property
    def is_starting(self) -> bool:
        """Whether Flux has yet to finish an installation of the newest spec, and has not failed to."""
        is_unfinished = self.observed_generation != self.meta.generation and self.unfinished_stage() in _IN_PROGRESS
        return is_unfinished and self.meta.is_usable

    def has_installed(self, digest: str) -> bool:
        """Whether the newest spec is installed, with the chart of that digest.

        Only the digest proves which chart is installed: a new tag in the OCIRepository does not change the release's generation, so the
        release is Ready=True for the old chart until the upgrade begins.
        """
        generation = self.meta.generation
        return (
            not self.suspended
            and not self.meta.deleting
            and self.observed_generation == generation
            and self.last_attempted_generation == generation
            and self.deployed
            and self._has_no_problem
            and bool(digest)
            and self.last_attempted_digest.endswith(digest)
        )

    @property
    def _has_no_problem(self) -> bool:
        """Whether no condition contradicts the history.

        Flux reconciles each release periodically: it is `Reconciling` then, and `Ready` may be Unknown, or report that the chart is not
        available now, while the installed objects are unchanged. `Ready` also stays Unknown if the final status write of Flux was lost
        (helm-controller, issue 1409).
        """
        ready, released = self.newest_condition, self.condition("Released")
        if ready is None or self.is_true("Stalled") or (released is not None and released.status == Status.FALSE):
            return False
        return ready.status != Status.FALSE or ready.reason in WAITING_REASONS

    def stage(self, digest: str) -> Stage:
        """Return its stage if the chart with `digest` is wanted."""
        if self.has_installed(digest):
            return Stage.UNSEEN if self.requested and not self.is_busy else Stage.DONE
        return self.unfinished_stage()


def installed_release(source: OCIRepository | None, release: HelmRelease | None) -> HelmRelease | None:
    """Return the release, if it has installed the chart that the source has now, with the newest values; else None."""
    return release if source is not None and release is not None and release.has_installed(source.digest) else None


def parse_helm_release(raw: Json, kind: str) -> HelmRelease:
    """Return the record of a HelmRelease."""
    status = status_of(raw)
    newest: Json = next(iter(status.get("history") or ()), {})
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    requested = annotations.get(REQUESTED_AT_ANNOTATION) or ""
    return HelmRelease(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=status.get("observedGeneration", -1),
        suspended=bool(spec_of(raw).get("suspend")),
        last_attempted_generation=status.get("lastAttemptedGeneration") or 0,
        last_attempted_digest=_word(status.get("lastAttemptedRevisionDigest")),
        deployed=_is_deployed(newest, status),
        failures=status.get("failures") or 0,
        chart_name=_word(newest.get("chartName")),
        chart_version=_word(newest.get("chartVersion")),
        requested=bool(requested) and requested != status.get("lastHandledReconcileAt"),
        inventory=chart_objects_of_inventory((status.get("inventory") or {}).get("entries") or ()),
    )


def _word(value: str | None) -> str:
    """Return a text that messages and the status of a Workspace quote."""
    return intern(printable(value or "", _LONGEST_WORD))


def _is_deployed(newest: Json, status: Json) -> bool:
    return (
        newest.get("status") == "deployed"
        and newest.get("chartVersion") == status.get("lastAttemptedRevision")
        and newest.get("configDigest") == status.get("lastAttemptedConfigDigest")
    )


@dataclass(frozen=True, slots=True)
class StageAges:
    """Seconds since source and release entered their stages, and since a Gateway's controller has had something to report."""

    source: float = 0.0
    release: float = 0.0
    attachment: float = 0.0
    """Of pool or route, a status."""
    pool_status: float = 0.0
    """Of the pool, a status that is not outdated."""
