"""Problems for kinds that the gateway side needs and the cluster does not serve."""

from collections.abc import Collection, Iterator

from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import ObjectRef


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


def missing_pool_problem(wanted: ObjectRef | None, live: InferencePool | None, missing: Collection[str]) -> Problem | None:
    """Return that the pool which the Workspace refers to does not exist; None if it does, or if its kind is among the `missing` ones."""
    if wanted is None or live is not None or wanted.kind in missing:
        return None
    return Problem(
        LinkName.POOL, "InferencePoolNotFound", f"{wanted} (gateway.pool.ref) not found; it is used as soon as it exists"
    )
