"""OCIRepository and HelmRelease, with the exact rules of when Flux has done what was asked.

Sources: source-controller v1.9 and helm-controller v1.6, `api/` and `internal/reconcile`; docs/concepts/readiness.md.
"""

from dataclasses import dataclass

from workspace_ctrl.records.meta import Conditioned, Json, conditions_of, parse_meta, spec_of, status_of


@dataclass(frozen=True, slots=True)
class OCIRepository(Conditioned):
    """Where the chart comes from."""

    observed_generation: int = -1
    suspended: bool = False
    revision: str = ""
    """`<tag>@sha256:...` or `sha256:...` of the stored artifact; empty while there is none."""

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
        """Whether the stored artifact is the one that the newest spec asks for.

        A suspended source stamps Ready=True with the new generation on the old artifact, so suspension is tested first.
        """
        ready = self.condition("Ready")
        return (
            not self.suspended
            and not self.meta.deleting
            and self.observed_generation == self.meta.generation
            and bool(self.revision)
            and ready is not None
            and ready.is_true
            and ready.speaks_of(self.meta.generation)
            and not self.is_true("Reconciling")
            and not self.is_true("Stalled")
        )


def parse_oci_repository(raw: Json, kind: str) -> OCIRepository:
    """Return the record of an OCIRepository."""
    status = status_of(raw)
    artifact = status.get("artifact") or {}
    return OCIRepository(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=status.get("observedGeneration", -1),
        suspended=bool(spec_of(raw).get("suspend")),
        revision=artifact.get("revision") or "",
    )


@dataclass(frozen=True, slots=True)
class HelmRelease(Conditioned):
    """The installation of the chart."""

    observed_generation: int = -1
    last_attempted_generation: int = 0
    last_attempted_digest: str = ""
    suspended: bool = False
    failures: int = 0
    chart_name: str = ""
    """Name of the chart of the newest entry in the history."""
    chart_version: str = ""
    """Its version, with the digest that Flux appends."""

    def has_installed(self, digest: str) -> bool:
        """Whether the newest spec is installed, from the chart with that digest.

        The digest is the only proof of the chart: a new tag in the OCIRepository does not change the release's generation, so until
        the upgrade begins the release says Ready=True for the old chart.
        """
        ready = self.condition("Ready")
        generation = self.meta.generation
        return (
            not self.suspended
            and not self.meta.deleting
            and self.observed_generation == generation
            and self.last_attempted_generation == generation
            and ready is not None
            and ready.is_true
            and ready.observed_generation == generation
            and not self.is_true("Reconciling")
            and not self.is_true("Stalled")
            and bool(digest)
            and self.last_attempted_digest.endswith(digest)
        )


def parse_helm_release(raw: Json, kind: str) -> HelmRelease:
    """Return the record of a HelmRelease."""
    status = status_of(raw)
    newest: Json = next(iter(status.get("history") or ()), {})
    return HelmRelease(
        meta=parse_meta(raw, kind),
        conditions=conditions_of(raw),
        observed_generation=status.get("observedGeneration", -1),
        last_attempted_generation=status.get("lastAttemptedGeneration") or 0,
        last_attempted_digest=status.get("lastAttemptedRevisionDigest") or "",
        suspended=bool(spec_of(raw).get("suspend")),
        failures=status.get("failures") or 0,
        chart_name=newest.get("chartName") or "",
        chart_version=newest.get("chartVersion") or "",
    )
