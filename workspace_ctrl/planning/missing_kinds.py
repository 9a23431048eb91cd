"""What is said of kinds that the cluster does not serve and a gateway needs."""

from collections.abc import Collection, Iterator

from workspace_ctrl.records.decisions import LinkName, Problem


def missing_kind_problems(missing: Collection[str], *, own_pool: bool) -> Iterator[Problem]:
    """Yield a problem for each group of `missing` kinds; `own_pool` is whether the user makes the InferencePool."""
    flux_kinds = [kind for kind in ("HelmRelease", "OCIRepository") if kind in missing]
    if flux_kinds:
        text = f"the cluster does not serve {' and '.join(flux_kinds)}; install Flux"
        yield Problem(LinkName.SOURCE, "CRDsNotAvailable", text)
    if "InferencePool" in missing:
        text = "the cluster does not serve InferencePool; install the Gateway API Inference Extension CRDs"
        # Without the kind, Flux cannot even tell what is installed, and its words for that would come first.
        yield Problem(LinkName.POOL if own_pool else LinkName.RELEASE, "CRDsNotAvailable", text)
