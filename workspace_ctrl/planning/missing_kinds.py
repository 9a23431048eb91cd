"""Problems for kinds that the gateway side needs and the cluster does not serve."""

from collections.abc import Collection, Iterator

from workspace_ctrl.records.decisions import LinkName, Problem


def missing_kind_problems(missing: Collection[str], *, own_pool: bool) -> Iterator[Problem]:
    """Yield a problem for each group of `missing` kinds; `own_pool` is whether the user manages the InferencePool."""
    flux_kinds = [kind for kind in ("HelmRelease", "OCIRepository") if kind in missing]
    if flux_kinds:
        text = f"{' and '.join(flux_kinds)} not served by the cluster; install Flux"
        yield Problem(LinkName.SOURCE, "CRDsNotAvailable", text)
    if "InferencePool" in missing:
        text = "InferencePool not served by the cluster; install the Gateway API Inference Extension CRDs"
        # Without the CRD, Flux fails to read its own release, and its error would otherwise be reported first.
        yield Problem(LinkName.POOL if own_pool else LinkName.RELEASE, "CRDsNotAvailable", text)
